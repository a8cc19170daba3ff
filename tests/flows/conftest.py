"""Running installations for flow tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.outbound_fixtures import NameServer
from tests.engine.private_engine import PrivateEngine
from tests.flows.deaths import VARIABLE
from tests.flows.paced_site import PacedSite
from tests.flows.running_panel import SELDOM, SHORT_TIMES, RunningPanel

DYING_WORKER = (sys.executable, "-m", "tests.flows.dying_worker")


@pytest.fixture(scope="package")
def name_server() -> Iterator[NameServer]:
    """Whom the shared installation asks about names; it knows what tests tell it."""
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def panel(
    private_engine: PrivateEngine,
    static_base_image: str,
    name_server: NameServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningPanel]:
    """One installation that tests share; each makes applications of its own in it."""
    folder = tmp_path_factory.mktemp("panel")
    more = {"MOONBASE_DNS_RESOLVER": name_server.address}
    times = {**SHORT_TIMES, **SELDOM}
    pool = _quarter(private_engine.pool, 128)
    running = RunningPanel(folder, private_engine.socket, pool, times, more)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def fault_panel(
    private_engine: PrivateEngine, static_base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPanel]:
    """An installation in which things are broken: its workers die on command."""
    folder = tmp_path_factory.mktemp("fault-panel")
    running = make_dying_panel(folder, private_engine.socket, _quarter(private_engine.pool, 64))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def paced_site(fault_panel: RunningPanel) -> PacedSite:
    return PacedSite(fault_panel, "fault").create()


@pytest.fixture
def fault_site(paced_site: PacedSite) -> PacedSite:
    """The site that visitors ask while things break around it.

    A test that failed may have left another page than it wanted: the next one begins from there.
    """
    answer = paced_site.panel.get(paced_site.slug)
    assert answer.status == 200
    paced_site.page = answer.body
    return paced_site


def make_dying_panel(folder: Path, engine_url: str, pool: str) -> RunningPanel:
    """A panel whose workers end at the steps that its folder `deaths` names."""
    more = {VARIABLE: str(folder / "deaths")}
    running = RunningPanel(folder, engine_url, pool, more=more)
    running.worker_command = DYING_WORKER
    return running


def _quarter(pool: str, number: int) -> str:
    """A quarter of the engine's pool, of which nobody else has anything: its beginning is that of
    contract tests, its end that of builds."""
    first, second, *_ = pool.split(".")
    return f"{first}.{second}.{number}.0/18"
