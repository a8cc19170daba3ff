"""The parent of the panel's processes: one that ends is started again, later each time it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.processes.family import LONGEST_WAIT, Member
from app.processes.programs import Program, as_family, panel_programs
from tests.flows.processes import wait_for
from tests.panel import Panel

ROOT = Path(__file__).parents[2]


def test_one_that_fails_at_once_waits_longer_each_time() -> None:
    member = Member(Program("web", ("true",), "web"))
    waits = []
    for _ in range(15):
        member.started_at = time.monotonic()
        member.ended()
        waits.append(round(member.due_at - time.monotonic()))
    assert waits[:3] == [1, 2, 3] and waits[-1] == LONGEST_WAIT
    member.started_at = time.monotonic() - 60
    member.ended()
    assert member.due_at <= time.monotonic()


def test_the_family_has_every_process_that_holds_the_panel(tmp_path: Path) -> None:
    programs = panel_programs(Settings(data_dir=tmp_path))
    names = [program.name for program in as_family(programs)]
    assert names == ["asker", "family"]
    kin = ("web", "worker", "scheduler", "observer", "cron", "ssh")
    assert as_family(programs)[-1].command[-6:] == kin


@pytest.fixture
def family(panel: Panel) -> Iterator[subprocess.Popen[bytes]]:
    """A real one, of the scheduler alone: it needs neither an engine nor the queue."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(panel.settings.data_dir),
        "MOONBASE_TIME_SCHEDULER": "0.2",
    }
    command = [sys.executable, "-m", "app.processes.family", "scheduler"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def children(pid: int) -> list[int]:
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in words.split()]


def test_a_killed_child_is_started_again_and_none_outlives_its_parent(
    family: subprocess.Popen[bytes],
) -> None:
    wait_for(lambda: children(family.pid), 20, "the family has no child")
    first = children(family.pid)[0]
    wait_for(lambda: _name(first) == "scheduler", 10, "the child has no name of its own")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: [pid for pid in children(family.pid) if pid != first], 10, "not started again")
    second = children(family.pid)[0]
    family.terminate()
    assert family.wait(10) == 0
    wait_for(lambda: not Path(f"/proc/{second}").exists(), 5, "a child outlives the family")


def test_a_killed_family_takes_its_children_along(family: subprocess.Popen[bytes]) -> None:
    wait_for(lambda: children(family.pid), 20, "the family has no child")
    child = children(family.pid)[0]
    wait_for(lambda: _name(child) == "scheduler", 10, "the child has no name of its own")
    family.kill()
    family.wait()
    wait_for(lambda: _name(child) == "", 10, "a child outlives the family")


def _name(pid: int) -> str:
    """Empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
