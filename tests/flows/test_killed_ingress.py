"""kill -9 of the ingress: every route answers again within three seconds, panel or not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.paced_site import PacedSite
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel
from tests.flows.visitors import visiting

INGRESS = "The ingress is killed (kill -9)"
INGRESS_LIMIT = 3.0


@pytest.fixture(scope="module", params=[True, False], ids=["panel-up", "web-and-redis-down"])
def is_panel_up(fault_panel: RunningPanel, request: pytest.FixtureRequest) -> Iterator[bool]:
    """The ingress must come back without the panel too."""
    is_up: bool = request.param
    if not is_up:
        fault_panel.kill_panel()
    yield is_up
    if not is_up:
        fault_panel.start_panel()


@pytest.mark.parametrize("programs", [("agent",), ("proxy",), ("agent", "proxy")], ids="+".join)
def test_the_ingress_killed(
    fault_site: PacedSite, programs: tuple[str, ...], is_panel_up: bool
) -> None:
    panel, site = fault_site.panel, fault_site
    assert panel.panel_answers() == is_panel_up
    with visiting(panel, site.slug) as visitors:
        wait_for(lambda: visitors.sent > 20, 10)
        started = time.monotonic()
        killed = [pid for program in programs for pid in panel.kill(program)]
        assert len(killed) >= len(programs)
        wait_for(
            lambda: all(set(panel.pids(one)) - set(killed) for one in programs),
            15,
            "the ingress was not started again",
        )
        wait_for(lambda: panel.get(site.slug).body == site.page, 15)
        seconds = time.monotonic() - started
        sent = visitors.sent
        wait_for(lambda: visitors.sent > sent + 40, 10)
    if "proxy" not in programs:
        visitors.require_no_loss()
    seconds = max(seconds, visitors.longest_gap)
    fault = " and ".join(programs) + ("" if is_panel_up else ", while web and Redis are down")
    outcome = "Started again by its supervisor, from the routes kept on disk"
    record_fault(
        Fault(INGRESS, fault, outcome, visitors.sent, visitors.lost, seconds, INGRESS_LIMIT)
    )
    require_in_time(seconds, INGRESS_LIMIT)
