"""One line about the addons of an application, for its dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.addons.queries import list_installed
from app.applications.models import Application
from app.publishing.queries import AddonCard, cards_of, load_places


@dataclass(frozen=True)
class AddonNotice:
    """Which addons need a person."""

    updates: Sequence[AddonCard]
    waiting: Sequence[AddonCard]
    yanked: Sequence[AddonCard]


def addon_notice(application: Application) -> AddonNotice | None:
    """None when there is nothing to say. One query where there are no addons, a fixed number
    otherwise."""
    rows = list_installed(application.id)
    if not rows:
        return None
    cards = cards_of(rows, load_places(application))
    found = AddonNotice(
        [card for card in cards if card.update],
        [card for card in cards if card.is_waiting],
        [card for card in cards if card.installed.version.is_yanked],
    )
    return found if found.updates or found.waiting or found.yanked else None
