"""What the page of an environment's variables shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.environments.models import Environment
from app.runtime.brought import BroughtVariable, teller
from app.runtime.cautions import (
    SHOWN,
    Piece,
    pieces_of,
    remarks_on,
    replaces_list,
    replaces_service,
)
from app.runtime.queries import SECRET_NAMES, automatic_variables, service_variables
from app.services.uses import ServiceUse
from app.variables.models import Variable
from app.variables.queries import find_variables, search_variables
from app.web.paging import Page, paged

PAGE_SIZE = 100


@dataclass(frozen=True)
class Row:
    """One variable. Of a secret there is no value here, and nothing that tells its length."""

    name: str
    is_secret: bool
    is_replacing: bool = False
    """An own one in place of an automatic one, or an automatic one that is replaced."""
    value: str = ""
    pieces: Sequence[Piece] = ()
    remarks: Sequence[str] = ()
    caution: str = ""
    addon: str = ""
    """The addon that sets an automatic one; empty where it is the platform."""
    service: str = ""
    """The service that sets an automatic one, or whose variable an own one replaces."""
    is_unset: bool = False
    """Of a service that is provisioned with the next deployment."""

    @property
    def is_cut(self) -> bool:
        return len(self.value) > SHOWN


@dataclass(frozen=True)
class Table:
    """Own variables page by page, and the automatic ones the search finds."""

    page: Page[Row]
    automatic: Sequence[Row]
    words: str


def load_table(environment: Environment, words: str) -> Table:
    """Both parts, with what replaces what. Decrypts the values of one page."""
    automatic = automatic_variables(environment)
    found = paged(search_variables(environment.id, words), PAGE_SIZE)
    brought = teller().variables(environment)
    services = service_variables(environment)
    replaced = find_variables(environment.id, [*automatic, *brought, *services])
    rows = [_own_row(row, automatic, brought, services) for row in found.rows]
    return Table(
        page=Page(rows=rows, number=found.number, total=found.total, size=found.size),
        automatic=[
            row
            for row in [
                *(
                    _row(name, value, name in SECRET_NAMES, name in replaced)
                    for name, value in automatic.items()
                ),
                *(_brought_row(name, one, name in replaced) for name, one in brought.items()),
                *(_service_row(name, use, name in replaced) for name, use in services.items()),
            ]
            if all(word in row.name.casefold() for word in words.casefold().split())
        ],
        words=words,
    )


def _brought_row(name: str, one: BroughtVariable, is_replaced: bool) -> Row:
    return replace(_row(name, one.value, False, is_replaced), addon=one.addon)


def _service_row(name: str, use: ServiceUse, is_replaced: bool) -> Row:
    """All that a service tells a site holds its credentials."""
    return Row(name, True, is_replaced, service=use.name, is_unset=name not in use.variables)


def _own_row(
    row: Variable,
    automatic: Mapping[str, str],
    brought: Mapping[str, BroughtVariable],
    services: Mapping[str, ServiceUse],
) -> Row:
    if row.name in services:
        service = services[row.name].name
        sentence = replaces_service(row.name, service).sentence
        return replace(_row(row.name, row.value, row.is_secret, True, sentence), service=service)
    caution = replaces_list(row.name, automatic)
    sentence = caution.sentence if caution else ""
    return _row(row.name, row.value, row.is_secret, row.name in {*automatic, *brought}, sentence)


def _row(name: str, value: str, is_secret: bool, is_replacing: bool, caution: str = "") -> Row:
    if is_secret:
        return Row(name, True, is_replacing, caution=caution)
    return Row(name, False, is_replacing, value, pieces_of(value), remarks_on(value), caution)
