"""The services' part of what waits: attached, detached and renamed ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from app.services.models import TITLES
from app.services.uses import ReleasedService, ServiceUse, read_services, write_services


@dataclass(frozen=True)
class ServiceDifference:
    """One instance that differs; None where the site is not told of it."""

    name: str
    before: str | None
    after: str | None


def services_to_be(uses: Sequence[ServiceUse]) -> tuple[ReleasedService, ...]:
    """What the next release would say of them."""
    return read_services(write_services(uses))


def service_differences(
    before: Sequence[ReleasedService], after: Sequence[ReleasedService]
) -> Iterator[ServiceDifference]:
    """By instance, those that go first. Two that swap their prefixes are two renames."""
    old, new = ({row.uuid: row for row in rows} for rows in (before, after))
    for uuid in dict.fromkeys([*old, *new]):
        was, becomes = old.get(uuid), new.get(uuid)
        if was and becomes:
            if was.prefix != becomes.prefix:
                yield ServiceDifference(TITLES[was.kind], was.prefix, becomes.prefix)
        elif was:
            yield ServiceDifference(was.name, _("attached"), None)
        elif becomes:
            yield ServiceDifference(becomes.name, None, _("attached"))


def told_by_services(
    before: Sequence[ReleasedService], after: Sequence[ReleasedService]
) -> frozenset[str]:
    """Names of automatic variables that only repeat such a difference."""
    changed = {*before, *after} - ({*before} & {*after})
    return frozenset(name for row in changed for name in row.variables)
