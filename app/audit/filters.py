"""Which audit lines a page or an export is about: read from its address, kept in it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass

WORDS_LENGTH = 200
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Filter:
    """What is wanted; empty fields want everything. `since` and `until` are whole days in UTC."""

    words: str = ""
    group: str = ""
    application: str = ""
    actor: str = ""
    since: datetime.date | None = None
    until: datetime.date | None = None

    def arguments(self) -> dict[str, str]:
        """As they stand in an address."""
        values = {
            "q": self.words,
            "group": self.group,
            "application": self.application,
            "actor": self.actor,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in values.items() if value}

    def __bool__(self) -> bool:
        return bool(self.arguments())


def read_filter(arguments: Mapping[str, str]) -> Filter:
    """What an address asks for; what cannot be understood is left out."""

    def text(name: str) -> str:
        return arguments.get(name, "").replace("\x00", "").strip()[:WORDS_LENGTH]

    return Filter(
        words=text("q"),
        group=text("group"),
        application=text("application"),
        actor=text("actor"),
        since=_date(text("since")),
        until=_date(text("until")),
    )


def _date(value: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(value) if DATE.fullmatch(value) else None
    except ValueError:
        return None
