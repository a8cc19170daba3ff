"""Which of an addon's versions is the newest."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from app.addons.models import AddonVersion, Channel
from app.addons.queries import TRUST, channels_from

_Order = tuple[bool, Version, int]


def order_of(version: AddonVersion) -> _Order:
    """What versions are sorted by: the number as PEP 440 reads it, before it all that is none, and
    among equals the time of the upload."""
    try:
        return True, Version(version.version), version.id
    except InvalidVersion:
        return False, Version("0"), version.id


def newest_first(versions: Iterable[AddonVersion]) -> list[AddonVersion]:
    return sorted(versions, key=order_of, reverse=True)


def newest_in(versions: Iterable[AddonVersion], channel: Channel) -> AddonVersion | None:
    """The newest that a site which follows `channel` is told of; none that was yanked."""
    followed = channels_from(channel)
    offered = [row for row in versions if row.channel in followed and not row.is_yanked]
    return max(offered, key=order_of, default=None)


def most_trusted(versions: Iterable[AddonVersion]) -> AddonVersion | None:
    """The newest of the most trusted channel that has any; none that was yanked. It is the one
    shown first, and the one offered to who chose no channel."""
    known = list(versions)
    for channel in reversed(TRUST):
        found = newest_in(known, channel)
        if found:
            return found
    return None
