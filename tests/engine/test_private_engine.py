"""The tests' own engine leaves the machine as it found it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.engine.private_engine import PrivateEngine, processes, state_folders, why_not_here

pytestmark = pytest.mark.skipif(why_not_here() is not None, reason=str(why_not_here()))


def traces(name: str) -> str:
    """Everything on the machine that carries the engine's name."""
    commands = (
        ["ip", "-o", "link"],
        ["ip", "netns"],
        ["ip", "route"],
        ["iptables-save"],
        ["mount"],
    )
    said = [subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in commands]
    command_lines = [line for _, line in processes()]
    cgroups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{name}")]
    folders = [str(path) for path in state_folders(f"{name}-")]
    lines = [*"\n".join(said).splitlines(), *command_lines, *cgroups, *folders]
    return "\n".join(line for line in lines if name in line)


def test_two_engines_run_beside_each_other_and_go_without_a_trace() -> None:
    with PrivateEngine() as one, PrivateEngine(in_memory=True) as two:
        assert one.pool != two.pool
        assert one.socket != two.socket
        for engine in (one, two):
            assert engine.client().ping()
            assert traces(engine.name)
    assert traces(one.name) == traces(two.name) == ""


def test_a_failure_inside_leaves_nothing() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), PrivateEngine() as engine:
        raise RuntimeError("on purpose")
    assert traces(engine.name) == ""


def test_a_killed_engine_leaves_nothing() -> None:
    with PrivateEngine() as engine:
        engine.stop(kill=True)
    assert traces(engine.name) == ""
