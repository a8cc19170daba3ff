"""kill -9 of every process but the worker: sites serve on, a deployment under way ends well."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import suppress

import docker
import pytest

from app.deployments.models import DeploymentStatus
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.leftovers import require_no_leftovers, take_snapshot
from tests.flows.paced_site import Pace, PacedSite
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel
from tests.flows.visitors import visiting

GROUP = "A process of the panel is killed (kill -9) during a deployment"
ALL = "The whole installation"
ALL_LIMIT = 30.0
LOCKED_SECONDS = 5.0


@pytest.mark.parametrize("program", ["web", "redis", "scheduler", "observer", "ssh"])
def test_a_process_killed_during_a_deployment(fault_site: PacedSite, program: str) -> None:
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        page = site.push(Pace(command=1))
        uuid = panel.request(site.slug)
        _wait_for_step(panel, uuid, "Take your time")
        killed = panel.kill(program)
        assert killed
        started = time.monotonic()
        wait_for(lambda: set(panel.pids(program)) - set(killed), 20, f"{program} did not return")
        done = panel.wait(uuid, 40)
        assert done.status == DeploymentStatus.SUCCEEDED, panel.log(uuid)
        site.page = page
        site.require_page(page)
        wait_for(lambda: panel.panel_answers() and panel.ssh_answers(), 30)
        seconds = time.monotonic() - started
        site.deploy()
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    outcome = "The deployment succeeds, and the next one"
    record_fault(Fault(GROUP, program, outcome, visitors.sent, visitors.lost, seconds, 15))
    require_in_time(seconds, 15)


def test_all_workers_killed_while_one_waits(fault_site: PacedSite) -> None:
    """Nobody is left who could recover: the restarted workers do."""
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        site.push(Pace(build=30))
        uuid = panel.request(site.slug)
        _wait_for_step(panel, uuid, "Running in")
        panel.kill("worker")
        started = time.monotonic()
        done = panel.wait(uuid, 30)
        seconds = time.monotonic() - started
        assert done.status == DeploymentStatus.FAILED
        site.require_page(site.page)
        site.deploy()
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    outcome = "Undone by the restarted ones; the old site serves on"
    record_fault(Fault(GROUP, "all workers", outcome, visitors.sent, visitors.lost, seconds, 10))
    require_in_time(seconds, 10)


def test_the_database_locked_during_a_deployment(fault_site: PacedSite) -> None:
    """Longer than the lease: a worker that cannot write a heartbeat must not be taken for dead."""
    panel, site = fault_site.panel, fault_site
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        page = site.push(Pace(command=1))
        uuid = panel.request(site.slug)
        _wait_for_step(panel, uuid, "Take your time")
        started = time.monotonic()
        _hold_database(panel, LOCKED_SECONDS)
        done = panel.wait(uuid, 40)
        seconds = time.monotonic() - started
        assert done.status == DeploymentStatus.SUCCEEDED, panel.log(uuid)
        assert not done.sentence
        site.page = page
        site.require_page(page)
    visitors.require_no_loss()
    require_no_leftovers(panel, before)
    outcome = "The deployment waits and succeeds"
    fault = f"database locked for {LOCKED_SECONDS:g} s"
    record_fault(Fault(GROUP, fault, outcome, visitors.sent, visitors.lost, seconds, 15))
    require_in_time(seconds, 15)


def test_web_halted_while_traffic_is_switched(fault_site: PacedSite) -> None:
    """No ingress node can report: the old containers must not go before it is known that visitors
    are sent to the new ones."""
    panel, site = fault_site.panel, fault_site
    with visiting(panel, site.slug) as visitors:
        page = site.push(Pace(start=1))
        uuid = panel.request(site.slug)
        _wait_for_step(panel, uuid, "health checks")
        halted = panel.pids("web")
        for pid in halted:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(panel.settings.times.node_alive + 2)
        finally:
            for pid in halted:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        started = time.monotonic()
        done = panel.wait(uuid, 40)
        seconds = time.monotonic() - started
        site.page = page if done.status == DeploymentStatus.SUCCEEDED else site.page
        wait_for(lambda: panel.get(site.slug).body == site.page, 10)
    visitors.require_no_loss()
    outcome = "Nothing is retired before the ingress has reported"
    fault = "web halted for 8 s at the switch"
    record_fault(Fault(GROUP, fault, outcome, visitors.sent, visitors.lost, seconds, 15))


def test_everything_killed_and_started_again(fault_site: PacedSite) -> None:
    """Supervisors included; the containers are the engine's and serve on, but nobody routes."""
    panel, site = fault_site.panel, fault_site
    before, ids = take_snapshot(panel), _running_ids(panel)
    page = site.push(Pace(build=30))
    uuid = panel.request(site.slug)
    _wait_for_step(panel, uuid, "Running in")
    panel.kill_everything()
    assert panel.get(site.slug).status == 0
    started = time.monotonic()
    panel.start_ingress()
    wait_for(lambda: panel.get(site.slug).status == 200, 30)
    routed = time.monotonic() - started
    with visiting(panel, site.slug) as visitors:
        panel.start_panel()
        back = time.monotonic() - started
        done = panel.wait(uuid, 30)
        assert done.status == DeploymentStatus.FAILED
        assert page not in panel.get(site.slug).body
        assert _running_ids(panel) == ids
        site.require_page(site.page)
        site.deploy()
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    outcome = f"Sites answer after {routed:.1f} s, all is as it was"
    fault = "kill -9 of all processes, supervisors too, then started again"
    record_fault(Fault(ALL, fault, outcome, visitors.sent, visitors.lost, back, ALL_LIMIT))
    require_in_time(back, ALL_LIMIT)


def test_stopped_and_started(fault_site: PacedSite) -> None:
    """What `make stop` and `make run` do: sites are stopped, and come back as they were."""
    panel, site = fault_site.panel, fault_site
    names = panel.containers()
    panel.run_module("app.processes.down")
    assert panel.get(site.slug).status == 0
    assert _running_ids(panel) == set()
    assert panel.containers() == names
    started = time.monotonic()
    panel.start_ingress()
    panel.start_panel()
    wait_for(lambda: panel.get(site.slug).body == site.page, 30)
    seconds = time.monotonic() - started
    assert panel.containers() == names
    fault, outcome = "`make stop`, then `make run`", "Sites are stopped, then serve as before"
    record_fault(Fault(ALL, fault, outcome, 0, 0, seconds, ALL_LIMIT))
    require_in_time(seconds, ALL_LIMIT)
    site.deploy()


def _wait_for_step(panel: RunningPanel, uuid: str, words: str) -> None:
    wait_for(lambda: words in panel.log(uuid), 30, f"the log never said {words}")


def _hold_database(panel: RunningPanel, seconds: float) -> None:
    """Hold SQLite's write lock in this process, which is none of the panel's."""
    path = panel.settings.database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        threading.Event().wait(seconds)
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def _running_ids(panel: RunningPanel) -> set[str]:
    """Ids of the running containers of this installation: a restarted one keeps its id."""
    wanted = set(panel.containers())
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        return {
            f"{item['Id']} {item['Created']}"
            for item in client.containers()
            if item["Names"][0].removeprefix("/") in wanted
        }
    finally:
        client.close()
