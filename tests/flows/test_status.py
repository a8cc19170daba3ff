"""The status page over real processes: each reports by itself, and a halted one is missed."""

from __future__ import annotations

import json
import time
import urllib.request

from app.platform_status.queries import find_heartbeat
from tests.flows.running_panel import RunningPanel, wait_for

REPORTED = 25
"""Seconds: each process reports soon after its start, the engine by the observer's second look."""


def states(panel: RunningPanel) -> dict[str, str]:
    with urllib.request.urlopen(f"{panel.settings.panel_url}/status.json", timeout=5) as answer:
        found = json.loads(answer.read())
    return {row["name"]: row["status"] for row in found["components"]}


def test_every_process_reports_by_itself(panel: RunningPanel) -> None:
    wait_for(lambda: set(states(panel).values()) == {"up"}, REPORTED, "something does not report")
    with panel.app.app_context():
        engine, queue = find_heartbeat("engine"), find_heartbeat("queue")
        assert engine and queue
        assert engine.details["version"]
        assert {row["name"] for row in queue.details["queues"]} >= {"deployments", "operations"}
    wait_for(lambda: _disk_is_measured(panel), REPORTED, "no worker has measured the disk")


def _disk_is_measured(panel: RunningPanel) -> bool:
    with panel.app.app_context():
        return find_heartbeat("disk") is not None


def test_reports_are_seldom(panel: RunningPanel) -> None:
    """A write each ten seconds and process, however often they look around."""
    with panel.app.app_context():
        before = find_heartbeat("scheduler")
        assert before
        first = before.seen_at
    seen = {first}
    until = time.monotonic() + 12
    while time.monotonic() < until:
        with panel.app.app_context():
            beat = find_heartbeat("scheduler")
            assert beat
            seen.add(beat.seen_at)
        time.sleep(0.2)
    assert 2 <= len(seen) <= 3
