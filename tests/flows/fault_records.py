"""Rows that fault tests measure, kept in test-artifacts/faults.json until the table is written."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parents[2] / "test-artifacts" / "faults.json"


@dataclass(frozen=True)
class Fault:
    """One measured row. `seconds` is the time until all was well again and `limit` the promise,
    None where nothing was to be waited for; `sent` and `lost` count a visitor's requests."""

    group: str
    fault: str
    outcome: str
    sent: int
    lost: int
    seconds: float | None = None
    limit: float | None = None


def record_fault(row: Fault) -> None:
    """Keep the row in place of an earlier one of the same fault, and print it."""
    rows = {(found.group, found.fault): found for found in load_faults()}
    rows[row.group, row.fault] = row
    FILE.parent.mkdir(exist_ok=True)
    draft = FILE.with_suffix(".new")
    draft.write_text(json.dumps([asdict(one) for one in rows.values()], indent=1) + "\n")
    draft.replace(FILE)
    took = "" if row.seconds is None else f", {row.seconds:.2f} s (limit {row.limit:g} s)"
    print(f"\nFAULT {row.group}: {row.fault}: {row.outcome}; {row.lost} of {row.sent} lost{took}")


def require_in_time(seconds: float, limit: float) -> None:
    """Fail beyond the promised limit. Where more processes want to run than there are cores (other
    tests run beside this one) it is stretched by as much, to twice the limit at most."""
    crowd = min(max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), 2.0)
    assert seconds < limit * crowd, f"{seconds:.2f} s, promised are {limit:g} s (crowd {crowd:.1f})"


def load_faults() -> list[Fault]:
    """All rows kept so far, in the order of their first measurement."""
    if not FILE.exists():
        return []
    return [Fault(**row) for row in json.loads(FILE.read_text())]
