"""The audit chain: writing lines, and proving 100,000 of them whole.

Nothing is judged: how fast is fast enough depends on how many lines an installation has. Ratios
are to the same number of rows written and read plainly, without a chain.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select

from app.audit.chain import walk_chain
from app.audit.models import AuditLine
from app.audit.operations import record
from app.extensions import db, now
from bench.results import Result, print_table
from tests.panel import ALICE, Panel, build_schema, make_settings, settle_people, user_of

LINES = 100_000
PORTION = 5_000
"""Lines of one unit of work."""


def run() -> list[Result]:
    """Write and verify; print the table."""
    with tempfile.TemporaryDirectory(prefix="moonbase-bench-") as folder:
        panel = Panel(make_settings(Path(folder) / "data"))
        build_schema(panel)
        settle_people(panel)
        try:
            written, verified = _timed(lambda: _write(panel)), _timed(lambda: _verify(panel))
            plain, read = _timed(lambda: _write_plainly(panel)), _timed(lambda: _read(panel))
        finally:
            panel.close()
    rows = [
        ["write", f"{written:.1f}", f"{plain:.1f}", f"{written / plain:.1f}"],
        ["verify", f"{verified:.1f}", f"{read:.1f}", f"{verified / read:.1f}"],
    ]
    print_table(f"{LINES:,} lines", ("", "chained s", "plain rows s", "ratio"), rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of this process {peak:.0f} MB")
    return []


def _timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _write(panel: Panel) -> None:
    for _ in range(LINES // PORTION):
        with panel.work():
            alice = user_of(ALICE)
            for number in range(PORTION):
                record("variable.set", f"site-{number}/live", actor=alice, organisation_id=1)


def _write_plainly(panel: Panel) -> None:
    row = {"actor_name": "Alice", "action": "variable.set", "subject": "x", "created_at": now()}
    for _ in range(LINES // PORTION):
        with panel.work():
            db.session.execute(insert(AuditLine), [dict(row) for _ in range(PORTION)])


def _verify(panel: Panel) -> None:
    with panel.reading():
        walk = walk_chain()
        assert walk.lines >= LINES and walk.broken_at is None, walk


def _read(panel: Panel) -> None:
    with panel.reading():
        for row in db.session.execute(select(AuditLine.__table__)).yield_per(1000):
            assert row.id
