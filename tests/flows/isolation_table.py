"""What a site reaches of others, as measured by `test_isolation.py`, in docs/security.md.

`python -m tests.flows.isolation_table` writes what the test has measured last into the document.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
HEADING = "## What a site reaches of others"
BEGIN, END = "<!-- tenants:begin -->", "<!-- tenants:end -->"
MEASURED = Path(tempfile.gettempdir()) / "moonbase-isolation.json"
INTRODUCTION = (
    "Tried from inside a site's container by `tests/flows/test_isolation.py`, with everything that "
    "the site knows, against another site on the same machine that uses the same servers. Written "
    "by `python -m tests.flows.isolation_table`: do not edit by hand."
)


def render(rows: Sequence[tuple[str, str]]) -> str:
    """The text between the markers."""
    lines = ["| A site tries | It gets |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
    return "\n".join([INTRODUCTION, "", *lines])


def outcome(got: Mapping[str, str], *names: str) -> str:
    """`refused` when each of these attempts was; else which ones got through."""
    through = [name for name in names if got[name]]
    return f"**gets through: {', '.join(through)}**" if through else "refused"


def present() -> str:
    """What stands in the document now; empty without the markers."""
    text = DOCUMENT.read_text()
    if BEGIN not in text or END not in text:
        return ""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def main() -> int:
    """0 when the table is written; 1 when nothing has been measured yet."""
    if not MEASURED.exists():
        print("Nothing measured yet: run pytest tests/flows/test_isolation.py.", file=sys.stderr)
        return 1
    section = render([(a, b) for a, b in json.loads(MEASURED.read_text())])
    text = DOCUMENT.read_text()
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{HEADING}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
