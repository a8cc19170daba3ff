"""What setting many variables would do, before it is done."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.variables import queries
from app.variables.dotenv_text import Line, read_lines
from app.variables.limits import Entry, looks_secret
from app.variables.models import Variable


class Effect(StrEnum):
    """What setting one variable would do."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True)
class Planned:
    """One variable of a plan. `line` is its place in pasted text, 0 when there is none."""

    entry: Entry
    effect: Effect
    line: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """What would happen. `seen` stands for the variables as the plan found them."""

    rows: Sequence[Planned]
    seen: str

    def count(self, effect: str) -> int:
        """How many rows have that effect."""
        return sum(row.effect == effect for row in self.rows)

    @property
    def is_possible(self) -> bool:
        """Whether nothing is refused and anything is to be done: it is all or nothing."""
        return not self.count(Effect.REFUSED) and any(
            row.effect in (Effect.NEW, Effect.CHANGED) for row in self.rows
        )


def plan_entries(environment_id: int, entries: Sequence[Entry]) -> Plan:
    """What setting `entries` would do."""
    rows = queries.find_variables(environment_id, [entry.name for entry in entries])
    planned = [Planned(entry, _effect(rows, entry)) for entry in entries]
    return Plan(planned, seen_in(rows.values()))


def plan_paste(
    environment_id: int, text: str, ticked: Collection[str], shown: Collection[str]
) -> Plan:
    """What pasting `.env` text would do.

    Of the names in `shown` the person has decided, and ticked those that are secrets. Of others
    the present variable decides, or the name.
    """
    lines = read_lines(text)
    rows = queries.find_variables(environment_id, [line.name for line in lines])
    planned = []
    for line in lines:
        is_secret = line.name in ticked
        if line.name not in shown:
            row = rows.get(line.name)
            is_secret = row.is_secret if row else looks_secret(line.name, line.value)
        entry = Entry(line.name, line.value, is_secret)
        effect = Effect.REFUSED if line.problem else _effect(rows, entry)
        planned.append(Planned(entry, effect, line.number, line.problem))
    return Plan(planned, seen_in(rows.values()))


def entries_of(lines: Iterable[Line], ticked: Collection[str]) -> list[Entry]:
    """Usable lines as entries, those with a name in `ticked` as secrets."""
    return [Entry(line.name, line.value, line.name in ticked) for line in lines if not line.problem]


def seen_in(rows: Iterable[Variable]) -> str:
    """Short text that differs as soon as one of `rows` is changed, removed or made anew."""
    states = sorted(f"{row.id}:{row.version}" for row in rows)
    return hashlib.sha256(" ".join(states).encode()).hexdigest()[:32]


def is_same(row: Variable | None, entry: Entry) -> bool:
    """Whether setting `entry` would change nothing."""
    return row is not None and (row.value, row.is_secret) == (entry.value, entry.is_secret)


def _effect(rows: Mapping[str, Variable], entry: Entry) -> Effect:
    row = rows.get(entry.name)
    if row is None:
        return Effect.NEW
    return Effect.SAME if is_same(row, entry) else Effect.CHANGED
