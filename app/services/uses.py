"""What an environment's next deployment is told of its services: pure, from rows and facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.adapters.services import ServiceKind
from app.adapters.services.variables import variable_names
from app.errors import Unavailable
from app.installation import installation
from app.services.models import TITLES, ServiceInstance
from app.services.queries import instances_of

SECRET_WORDS = ("password", "secret", "token")
"""In names of facts whose values are masked wherever they appear."""
MASKED_FROM = 8


@dataclass(frozen=True)
class ServiceUse:
    """One instance as a release uses it. Without `variables` it is not provisioned yet."""

    uuid: str
    kind: ServiceKind
    prefix: str
    name: str
    """For people: `PostgreSQL “DEFAULT”`."""
    names: tuple[str, ...]
    """The variables it brings, as far as they are known before it is provisioned."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values to mask: those of its variables, and its credentials by themselves."""
    certificate: str = ""
    """PEM of its server, for one that nobody else vouches for."""


def resolve_services(environment_ids: Sequence[int]) -> Mapping[int, tuple[ServiceUse, ...]]:
    """By environment, what its next deployment would use; in one query."""
    found = instances_of(environment_ids)
    return {number: tuple(use_of(row) for row in rows) for number, rows in found.items()}


def use_of(row: ServiceInstance) -> ServiceUse:
    """The instance with what stands in its row now. Raises `Unavailable` when it is provisioned
    and nothing is known of it: never an empty variable."""
    if row.provisioned_at is None:
        names = variable_names(row.kind, row.prefix)
        return ServiceUse(row.uuid, row.kind, row.prefix, row.name, names)
    facts = row.facts
    variables = _variables(row, facts)
    return ServiceUse(
        uuid=row.uuid,
        kind=row.kind,
        prefix=row.prefix,
        name=row.name,
        names=tuple(variables),
        variables=variables,
        secrets=tuple(
            dict.fromkeys([*variables.values(), *secret_facts(facts), row.source.password])
        ),
        certificate=facts.get("certificate", ""),
    )


def _variables(row: ServiceInstance, facts: Mapping[str, str]) -> dict[str, str]:
    try:
        found = installation().adapters.services.variables(row.kind, row.prefix, facts)
    except KeyError as error:
        raise _unknown(row) from error
    if not found or not all(found.values()):
        raise _unknown(row)
    return found


def _unknown(row: ServiceInstance) -> Unavailable:
    return Unavailable(
        f"What is known of {row.name} is incomplete: the site cannot be told how to reach it. Ask "
        "the operator.",
        retry=False,
    )


def secret_facts(facts: Mapping[str, str]) -> list[str]:
    """Credentials among what provisioning made."""
    return [
        value for name, value in facts.items() if len(value) >= MASKED_FROM and is_secret_fact(name)
    ]


def is_secret_fact(name: str) -> bool:
    return any(word in name.casefold() for word in SECRET_WORDS)


def variables_from(uses: Iterable[ServiceUse]) -> dict[str, str]:
    """All variables of these instances together."""
    return {name: value for use in uses for name, value in use.variables.items()}


@dataclass(frozen=True)
class ReleasedService:
    """An instance as it stands in a release, for good: its prefix may be another one by now."""

    uuid: str
    kind: ServiceKind
    prefix: str
    variables: tuple[str, ...]
    """Their names."""
    certificate: str = ""

    @property
    def name(self) -> str:
        return f"{TITLES[self.kind]} “{self.prefix}”"


def write_services(uses: Iterable[ServiceUse]) -> list[dict[str, Any]]:
    """JSON for `Release.services`."""
    return [
        {
            "uuid": use.uuid,
            "kind": use.kind.value,
            "prefix": use.prefix,
            "variables": [*use.names],
            **({"certificate": use.certificate} if use.certificate else {}),
        }
        for use in uses
    ]


def read_services(rows: Iterable[Mapping[str, Any]]) -> tuple[ReleasedService, ...]:
    """What `write_services` wrote."""
    return tuple(
        ReleasedService(
            row["uuid"],
            ServiceKind(row["kind"]),
            row["prefix"],
            tuple(row["variables"]),
            row.get("certificate", ""),
        )
        for row in rows
    )
