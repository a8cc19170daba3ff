"""Finding and ending the processes of one installation, and waiting for things to be so."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PANEL_PROGRAMS = (
    "redis",
    "web",
    "worker",
    "asker",
    "scheduler",
    "observer",
    "cron",
    "ssh",
    "family",
)
LOOK_SECONDS = 0.1
"""Between two looks: each is work that the processes looked at do not get."""
_MARKS = {
    "worker": ("worker.py", "dying_worker"),
    "web": ("app.processes.web",),
    "redis": ("redis-server",),
    "asker": ("app.processes.asker",),
    "scheduler": ("app.processes.scheduler",),
    "observer": ("app.processes.observer",),
    "cron": ("app.processes.cron",),
    "ssh": ("app.processes.ssh",),
    "family": ("app.processes.family",),
    "agent": ("app.processes.ingress_agent",),
    "proxy": ("traefik", "app.processes.ingress_proxy"),
    "supervisord": ("supervisord",),
}


def wait_for(what: Callable[[], object], seconds: float = 30, why: str = "") -> float:
    """Wait until `what` is true. Returns the seconds it took; fails with `why` when it is not."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if what():
            return time.monotonic() - started
        time.sleep(LOOK_SECONDS)
    raise AssertionError(why or f"not true within {seconds} s")


def is_of(program: str, words: str) -> bool:
    """Whether a command line is that of `program`, named as in programs.py."""
    return any(mark in words for mark in _MARKS[program])


def find_processes(data_dir: Path) -> Iterator[tuple[int, str]]:
    """Pid and command line of an installation's processes: those whose environment names its
    folder, or for Redis, which writes its title over its environment, whose command line does."""
    mark = f"DATA_DIR={data_dir}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            words = _own_words((entry / "comm").read_text().strip(), words)
            is_redis = "redis-server" in words and f"{data_dir}/" in words
            if is_redis or mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name), words
        except OSError:
            continue


def _own_words(name: str, words: str) -> str:
    """The command line; of one that the family has forked, which shares its parent's, the one it
    would have by itself."""
    if "app.processes.family" in words and name in _MARKS:
        return _MARKS[name][0]
    return words


def kill_until_none(pids: Callable[[], list[int]]) -> None:
    """SIGKILL what `pids` finds until it finds nothing, reaping our own children."""

    def is_dead() -> bool:
        found = pids()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return not found

    wait_for(is_dead, 20, "processes outlive SIGKILL")
