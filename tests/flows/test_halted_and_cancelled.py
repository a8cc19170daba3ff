"""A worker that sleeps through its lease writes nothing; cancelling stops work at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from app.accounts.queries import find_user
from app.deployments.models import DeploymentStatus
from app.deployments.operations import request_cancel
from app.deployments.queries import find_deployment
from app.transactions import unit_of_work
from tests.flows.deaths import plan_death
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.leftovers import require_no_leftovers, take_snapshot
from tests.flows.paced_site import Pace, PacedSite
from tests.flows.processes import wait_for
from tests.flows.running_panel import OWNER, SHORT_TIMES, RunningPanel
from tests.flows.visitors import visiting

HALTED = "The worker is halted (SIGSTOP) past its lease and goes on later"
CANCELLED = "A person cancels"
LEASE_LIMIT = float(SHORT_TIMES["LEASE"]) + 3
CANCEL_LIMIT = 3.0
TABLES = "deployments deployment_steps containers current_releases routes feeds releases receipts"
STILL_SECONDS = 2.0
"""How long the halted worker is watched after it goes on: it gives up within one look (0.5 s)."""


@pytest.mark.parametrize(
    ("step", "after", "pace"),
    [
        ("start_containers", 0.0, Pace()),
        ("retire", 0.0, Pace()),
        ("build_image", 1.0, Pace(build=4)),
    ],
    ids=["start_containers", "retire", "build"],
)
def test_a_halted_worker_writes_nothing_when_it_goes_on(
    fault_site: PacedSite, step: str, after: float, pace: Pace, request: pytest.FixtureRequest
) -> None:
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        site.push(pace)
        plan = plan_death(panel.folder / "deaths", step, after, signal.SIGSTOP)
        uuid = panel.request(site.slug)
        site.wait_for_death(plan, uuid)
        started = time.monotonic()
        # Whatever fails here: workers that stay halted would fail all tests after this one.
        request.addfinalizer(lambda: _go_on(panel.pids("worker")))
        halted = _wait_for_halted(panel)
        done = panel.wait(uuid, 20)
        seconds = time.monotonic() - started
        assert done.status.is_final
        site.deploy()
        if step != "build_image":  # what the engine made and nobody has read of is swept later on
            require_no_leftovers(panel, before)
        # The engine does not know that its client is halted, and goes on to the instruction's end.
        wait_for(lambda: not _sleepers(panel, "sleep 4"), 20, "the build sleeps on")
        rows, log, containers = _rows(panel), panel.log(uuid), panel.containers()
        _go_on(halted)
        until = time.monotonic() + STILL_SECONDS
        while time.monotonic() < until:
            assert panel.containers() == containers
            time.sleep(0.1)
        assert _rows(panel) == rows
        if step != "build_image":  # whose output is still read to its end
            assert panel.log(uuid) == log
        site.require_page(site.page)
        require_no_leftovers(panel, before, has_built=True)
        site.deploy()
    visitors.require_no_loss()
    outcome = "Another worker ends the deployment; the halted one writes nothing"
    fault = f"during “{step}”"
    record_fault(Fault(HALTED, fault, outcome, visitors.sent, visitors.lost, seconds, LEASE_LIMIT))
    require_in_time(seconds, LEASE_LIMIT)


def test_cancelling_a_build_stops_it(fault_site: PacedSite) -> None:
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        site.push(Pace(build=300))
        uuid = panel.request(site.slug)
        wait_for(lambda: _sleepers(panel, "sleep 300"), 30, "the build did not begin to sleep")
        asked = time.monotonic()
        _cancel(panel, uuid)
        gone: list[float] = []
        watch = _note_when(lambda: not _sleepers(panel, "sleep 300"), gone, asked)
        done = panel.wait(uuid, 20)
        final = time.monotonic() - asked
        watch.join(20)
        assert done.status == DeploymentStatus.CANCELLED
        assert "RUN" not in done.sentence
        require_no_leftovers(panel, before)
        site.require_page(site.page)
        site.deploy()
    visitors.require_no_loss()
    seconds = max(final, *gone)
    outcome = "Its container is gone, the deployment is cancelled"
    record_fault(
        Fault(CANCELLED, "a build", outcome, visitors.sent, visitors.lost, seconds, CANCEL_LIMIT)
    )
    require_in_time(gone[0], CANCEL_LIMIT)
    require_in_time(final, CANCEL_LIMIT)


def test_cancelling_a_release_command_stops_it(fault_site: PacedSite) -> None:
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    site.push(Pace(command=301))
    uuid = panel.request(site.slug)
    wait_for(lambda: "Take your time" in panel.log(uuid), 30)
    asked = time.monotonic()
    _cancel(panel, uuid)
    done = panel.wait(uuid, 20)
    seconds = time.monotonic() - asked
    assert done.status == DeploymentStatus.CANCELLED
    require_no_leftovers(panel, before)
    site.require_page(site.page)
    outcome = "Its container is gone, the deployment is cancelled"
    record_fault(Fault(CANCELLED, "a release command", outcome, 0, 0, seconds, CANCEL_LIMIT))
    require_in_time(seconds, CANCEL_LIMIT)


def test_cancelling_the_one_that_waits(fault_site: PacedSite) -> None:
    """The running one is not disturbed."""
    panel, site = fault_site.panel, fault_site
    running_page = site.push(Pace(command=2))
    running = panel.request(site.slug)
    wait_for(lambda: "Take your time" in panel.log(running), 30)
    site.push()
    waiting = panel.request(site.slug)
    assert waiting != running
    asked = time.monotonic()
    _cancel(panel, waiting)
    done = panel.wait(waiting, 3)
    seconds = time.monotonic() - asked
    assert done.status == DeploymentStatus.CANCELLED
    assert not done.steps
    assert panel.wait(running, 30).status == DeploymentStatus.SUCCEEDED
    site.page = running_page
    site.require_page(running_page)
    outcome = "It never begins; the running one goes on"
    record_fault(Fault(CANCELLED, "one that waits", outcome, 0, 0, seconds, CANCEL_LIMIT))


def test_two_asked_at_once_run_one_after_the_other(fault_site: PacedSite) -> None:
    """The same commit is one deployment; a newer commit waits and is what serves in the end."""
    panel, site = fault_site.panel, fault_site
    with visiting(panel, site.slug) as visitors:
        site.push(Pace(command=1))
        barrier, asked = threading.Barrier(2), []

        def ask() -> None:
            barrier.wait(10)
            asked.append(panel.request(site.slug))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(asked) == 2
        assert asked[0] == asked[1]
        # A newer one takes the place of one that waits.
        wait_for(lambda: "Take your time" in panel.log(asked[0]), 30)
        page = site.push()
        newer = panel.request(site.slug)
        first, second = panel.wait(asked[0]), panel.wait(newer)
    assert first.status == second.status == DeploymentStatus.SUCCEEDED
    assert first.ended_at
    assert second.started_at
    assert first.ended_at <= second.started_at
    site.page = page
    site.require_page(page)
    visitors.require_no_loss()


def _cancel(panel: RunningPanel, uuid: str) -> None:
    with panel.app.app_context(), unit_of_work():
        deployment, owner = find_deployment(uuid), find_user(OWNER)
        assert deployment
        assert owner
        request_cancel(deployment, owner)


def _note_when(what: Callable[[], bool], found: list[float], since: float) -> threading.Thread:
    """Wait in a thread until `what` is true and put the seconds since `since` into `found`."""

    def watch() -> None:
        wait_for(what, 20)
        found.append(time.monotonic() - since)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def _sleepers(panel: RunningPanel, words: str) -> list[str]:
    """Ids of containers whose command has these words."""
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        return [item["Id"] for item in client.containers() if words in item["Command"]]
    finally:
        client.close()


def _wait_for_halted(panel: RunningPanel) -> list[int]:
    """Pids of the worker and of the child that ran the job."""
    found: list[int] = []

    def are_both() -> bool:
        found[:] = [pid for pid in panel.pids("worker") if _is_halted(pid)]
        return len(found) == 2

    wait_for(are_both, 10, "the worker was not halted")
    return found


def _go_on(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _is_halted(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the child of another job, which has ended
        return False
    return stat.rpartition(") ")[2].startswith("T")


def _rows(panel: RunningPanel) -> dict[str, list[tuple[object, ...]]]:
    """All rows that deployments write, as they stand."""
    path = panel.settings.database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=10)
    try:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in TABLES.split()
        }
    finally:
        connection.close()
