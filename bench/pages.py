"""Pages of a panel with 10, 100 and 1,000 applications, each with 100,000 deployments.

Bars: at most 25 queries on every page and the same number at every size; the 95th percentile at
1,000 applications at most twice that at 10. The three panels take turns, so that whatever else
the machine does falls on all of them alike.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import event

from app.accounts.queries import find_user
from app.applications.models import Starter
from app.deployments.models import Deployment
from app.extensions import db
from app.organisations.operations import sign_up
from app.organisations.queries import list_organisations
from bench.many_rows import Filler
from bench.results import Result, percentile, print_table
from tests.panel import ALICE, PASSWORD, Panel, build_schema, make_application, make_settings

SIZES = (10, 100, 1000)
DEPLOYMENTS = 100_000
REQUESTS = 60
WARM_UP = 5
SITE = "zz-measured"
"""The application with a real repository; its name is the last, so its card is on the last page."""


@dataclass
class Measured:
    """What one page took on one panel: seconds of each request, and its number of queries."""

    seconds: list[float] = field(default_factory=list)
    queries: set[int] = field(default_factory=set)


def run() -> list[Result]:
    """Fill three panels, ask for every page in turns, print, and judge."""
    with tempfile.TemporaryDirectory(prefix="moonbase-bench-") as folder:
        template = Path(folder) / "template"
        _make_template(template)
        panels = {size: _filled(template, Path(folder) / str(size), size) for size in SIZES}
        try:
            measured = _measure(panels)
        finally:
            for panel in panels.values():
                panel.close()
    _print(measured)
    return _judge(measured)


def _make_template(data_dir: Path) -> None:
    """Schema, one person and one application with a real repository; copied for each size."""
    panel = Panel(make_settings(data_dir))
    build_schema(panel)
    with panel.work():
        alice = sign_up(ALICE.email, ALICE.name, PASSWORD)
        db.session.flush()
        make_application(panel, SITE, list_organisations(alice)[0], alice, Starter.STATIC)
    panel.close()


def _filled(template: Path, data_dir: Path, size: int) -> Panel:
    from tests.panel import copy_panel

    panel = copy_panel(template, data_dir)
    began = time.monotonic()
    with panel.work():
        alice = find_user(ALICE.email)
        assert alice
        Filler(list_organisations(alice)[0], alice.id, size - 1, DEPLOYMENTS).fill()
    _give_history(panel)
    print(f"filled {size} applications in {time.monotonic() - began:.1f} s", flush=True)
    return panel
