"""Pages of a panel with 10, 100 and 1,000 applications, each with 100,000 deployments.

Bars: at most 25 queries on every page and the same number at every size; the 95th percentile at
1,000 applications at most twice that at 10, in processor time: a page waits for nothing else, and
what the machine does besides is not the page's. The three panels take turns all the same.

The list shows 10 rows at 10 applications and 50 beyond; filters and searches find as many at every
size, so that they show what searching costs.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import event, select, update

from app.accounts.queries import find_user
from app.applications.models import Starter
from app.applications.queries import find_application
from app.deployments.models import Deployment
from app.deployments.queries import list_deployments
from app.environments.models import Environment
from app.extensions import db
from app.logs.queries import log_store
from app.organisations.operations import sign_up
from app.organisations.queries import list_organisations
from app.repositories.queries import load_repository
from bench.many_rows import Filler
from bench.results import Result, percentile, print_table
from tests.panel import (
    ALICE,
    PASSWORD,
    Panel,
    build_schema,
    copy_panel,
    make_application,
    make_settings,
)

SIZES = (10, 100, 1000)
DEPLOYMENTS = 100_000
REQUESTS = 40
WARM_UP = 5
ORGANISATION = "alice"
SITE = "zz-measured"
"""The application with a real repository; its name is the last, so its card is on the last page."""


@dataclass
class Measured:
    """What one page took on one panel: seconds by the clock and of the processor; its queries."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    queries: set[int] = field(default_factory=set)


def run() -> list[Result]:
    """Fill three panels, ask for every page in turns, print, and judge."""
    with filled_panels() as panels:
        measured = measure(panels, _addresses)
    print_measured(f"Pages, {DEPLOYMENTS:,} deployments in each panel", measured)
    return _judge(measured)


@contextmanager
def filled_panels() -> Iterator[dict[int, Panel]]:
    """A panel for each of `SIZES`, by its number of applications."""
    with tempfile.TemporaryDirectory(prefix="moonbase-bench-") as folder:
        template = Path(folder) / "template"
        _make_template(template)
        panels = {size: _filled(template, Path(folder) / str(size), size) for size in SIZES}
        try:
            yield panels
        finally:
            for panel in panels.values():
                panel.close()


def _make_template(data_dir: Path) -> None:
    """Schema, one person and one application with a real repository; copied for each size."""
    panel = Panel(make_settings(data_dir))
    build_schema(panel)
    with panel.work():
        alice = sign_up(ALICE.email, ALICE.name, PASSWORD)
        alice.is_operator = True
        db.session.flush()
        make_application(panel, SITE, list_organisations(alice)[0], alice, Starter.STATIC)
    panel.close()


def _filled(template: Path, data_dir: Path, size: int) -> Panel:
    panel = copy_panel(template, data_dir)
    began = time.monotonic()
    with panel.work():
        alice = find_user(ALICE.email)
        assert alice
        Filler(list_organisations(alice)[0], alice.id, size - 1, DEPLOYMENTS).fill()
    _give_history(panel)
    print(f"filled {size} applications in {time.monotonic() - began:.1f} s", flush=True)
    return panel


def _give_history(panel: Panel) -> None:
    """The measured application's deployments get the commit its repository has, and a log."""
    with panel.work():
        application = find_application(SITE)
        assert application
        store = panel.store
        head = store.resolve(load_repository(application.id).uuid, "main")
        environments = select(Environment.id).where(Environment.application_id == application.id)
        db.session.execute(
            update(Deployment)
            .where(Deployment.environment_id.in_(environments))
            .values(commit=head, previous_commit=None)
        )
        log = log_store().deployment(_newest_deployment(application.id).uuid)
        log.append("".join(f"line {number} of what a build prints\n" for number in range(500)))


def _newest_deployment(application_id: int) -> Deployment:
    """The newest that succeeded: its page shows most."""
    succeeded = list_deployments(application_id).where(Deployment.release_id.is_not(None))
    found: Deployment = db.session.scalars(succeeded.limit(1)).one()
    return found


def _addresses(panel: Panel) -> dict[str, str]:
    """The pages by what the table calls them."""
    with panel.reading():
        application = find_application(SITE)
        assert application
        uuid = _newest_deployment(application.id).uuid
    site = f"/applications/{SITE}"
    return {
        "dashboard, list with totals": "/applications/",
        "list, last page": "/applications/?page=9999",
        "list, only failed": "/applications/?state=failed",
        "list, only waiting": "/applications/?state=waiting",
        "search, two words": "/applications/?q=zz+measured",
        "search, a host": f"/applications/?q={SITE}.localhost",
        "application": f"{site}/",
        "history": f"{site}/deployments/",
        "history, last page": f"{site}/deployments/?page=9999",
        "deployment": f"{site}/deployments/{uuid}/",
        "releases": f"{site}/environments/live/releases/",
        "environment": f"{site}/environments/live/",
        "environments": f"{site}/environments/",
        "variables": f"{site}/environments/live/variables/",
        "history of variables": f"{site}/environments/live/variables/history/",
        "what waits": f"{site}/environments/live/waiting/",
        "domains": f"{site}/environments/live/domains/",
        "collaborators": f"{site}/collaborators/",
        "settings": f"{site}/settings/",
        "trash of an application": f"{site}/trash/",
        "deploy many": f"/applications/deploy/?environment=live&site={SITE}",
        "sites of an editor": "/sites/",
        "organisations": "/organisations/",
        "members": f"/organisations/{ORGANISATION}/members/",
        "audit log": f"/organisations/{ORGANISATION}/audit/",
        "audit log, searched": f"/organisations/{ORGANISATION}/audit/?q=colour",
        "trash": f"/organisations/{ORGANISATION}/trash/",
        "own acts": "/account/activity/",
        "sessions": "/account/sessions/",
        "status": "/status/",
        "site of an editor": f"/sites/{SITE}/",
        "repository": f"{site}/repository/",
        "logs": f"{site}/environments/live/logs/",
        "settings of an organisation": f"/organisations/{ORGANISATION}/settings/",
        "profile": "/account/",
        "SSH keys": "/account/ssh-keys/",
        "access tokens": "/account/access-tokens/",
        "second factor": "/account/second-factor/",
        "marketplace": "/marketplace/",
        "addons of a site": f"{site}/addons/",
        "own addons": "/addons/",
        "machines": "/operator/",
        "incidents": "/operator/incidents/",
        "people": "/operator/people/",
        "audit log of the installation": "/operator/audit/",
    }


@contextmanager
def _counting(panel: Panel, into: list[str]) -> Iterator[None]:
    """Statements sent to this panel's database while the block runs, BEGIN and the like not."""

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        into.append(statement)

    with panel.reading():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _ask(panel: Panel, client: FlaskClient, address: str, measured: Measured) -> None:
    statements: list[str] = []
    with _counting(panel, statements):
        began, busy = time.perf_counter(), time.thread_time()
        answer = client.get(address)
        measured.processor.append(time.thread_time() - busy)
        measured.seconds.append(time.perf_counter() - began)
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    measured.queries.add(len([text for text in statements if not text.startswith("BEGIN")]))


def measure(
    panels: dict[int, Panel], addresses_of: Callable[[Panel], dict[str, str]]
) -> dict[str, dict[int, Measured]]:
    """By page and size. Garbage of one panel must not be collected on another's time."""
    clients = {size: panel.client_of(ALICE) for size, panel in panels.items()}
    addresses = {size: addresses_of(panel) for size, panel in panels.items()}
    measured: dict[str, dict[int, Measured]] = {}
    gc.freeze()
    for page in addresses[SIZES[0]]:
        measured[page] = {size: Measured() for size in SIZES}
        for number in range(-WARM_UP, REQUESTS):
            for size in SIZES if number % 2 else reversed(SIZES):
                gc.collect(1)
                into = measured[page][size] if number >= 0 else Measured()
                _ask(panels[size], clients[size], addresses[size][page], into)
    return measured


def print_measured(title: str, measured: dict[str, dict[int, Measured]]) -> None:
    """A line a page and size."""
    rows = []
    for page, by_size in measured.items():
        for size, found in by_size.items():
            wall = [1000 * value for value in found.seconds]
            busy = [1000 * value for value in found.processor]
            numbers = [statistics.median(busy), percentile(busy, 0.95), min(busy), max(busy)]
            numbers += [statistics.median(wall), percentile(wall, 0.95)]
            queries = "/".join(map(str, sorted(found.queries)))
            rows.append([page, size, queries, *(f"{value:.1f}" for value in numbers), len(wall)])
    headings: Sequence[str] = (
        "page",
        "applications",
        "queries",
        "median ms",
        "p95",
        "min",
        "max",
        "clock: median",
        "p95",
        "n",
    )
    print_table(title, headings, rows)


def _judge(measured: dict[str, dict[int, Measured]]) -> list[Result]:
    """The worst page decides."""
    most = max(max(found.queries) for sizes in measured.values() for found in sizes.values())
    varying = sum(
        len(set.union(*(found.queries for found in sizes.values()))) > 1
        for sizes in measured.values()
    )
    return [
        Result("pages.queries", most, 25),
        Result("pages.pages_with_varying_queries", varying, 0),
        Result("pages.p95_growth", growth(measured), 2),
    ]


def growth(measured: dict[str, dict[int, Measured]]) -> float:
    """p95 at the largest size by that at the smallest, of the page where it grows most."""
    return max(
        percentile(sizes[SIZES[-1]].processor, 0.95) / percentile(sizes[SIZES[0]].processor, 0.95)
        for sizes in measured.values()
    )
