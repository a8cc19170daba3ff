"""`python -m tests.flows.faults_table`: write the measured faults into docs/operating.md."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.flows.fault_records import Fault, load_faults
from tests.flows.visitors import RATE

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"
HEADING = "## What it survives"
INTRODUCTION = (
    f"On two shared processor cores; {2 * RATE} requests a second, half of them on kept "
    "connections. “Over after” is the time until the deployment is final, or until all routes or "
    "processes are back. Written by `python -m tests.flows.faults_table`: do not edit by hand."
)


def render(rows: list[Fault]) -> str:
    """The section's text between the markers; rows grouped in the order of measurement."""
    order = list(dict.fromkeys(row.group for row in rows))
    ordered = sorted(rows, key=lambda row: order.index(row.group))
    parts = [INTRODUCTION]
    for group, members in itertools.groupby(ordered, key=lambda row: row.group):
        lines = ["| Fault | What happens | Requests | Lost | Over after | Limit |"]
        lines.append("|---|---|--:|--:|--:|--:|")
        lines += [_line(row) for row in members]
        parts.append(f"### {group}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _line(row: Fault) -> str:
    took = "" if row.seconds is None else f"{row.seconds:.1f} s"
    limit = "" if row.limit is None else f"{row.limit:g} s"
    return f"| {row.fault} | {row.outcome} | {row.sent} | {row.lost} | {took} | {limit} |"


def replace_section(text: str, section: str) -> str:
    """`text` with `section` between the markers, which are put at its end when they are missing."""
    if BEGIN not in text or END not in text:
        head = text.rstrip("\n") + "\n\n" if text.strip() else "# Operating Moonbase\n\n"
        text = f"{head}{HEADING}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def main() -> int:
    """0 when the table is written; 1 when nothing has been measured yet."""
    rows = load_faults()
    if not rows:
        print("Nothing measured yet: run pytest tests/flows first.", file=sys.stderr)
        return 1
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(replace_section(text, render(rows)))
    print(f"{len(rows)} faults written to {DOCUMENT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
