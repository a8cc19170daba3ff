"""The processes that hold the whole panel, forked from one parent that has loaded it once.

What they load is in memory once instead of once each (`bench/memory.py`). Each is a process like
any other: its own user, its own name, killed and restarted by itself. The parent serves nothing:
it waits for its children, and starts one that has ended again, later each time.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sqlalchemy.orm import configure_mappers

from app.background import RealAdapters
from app.config import Settings
from app.processes.accounts import ROOT_ONLY, Accounts, become, set_parent_death_signal
from app.processes.programs import Program, panel_programs

STEADY_SECONDS = 1.0
"""One that lived longer is restarted at once."""
LONGEST_WAIT = 10.0
WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


@dataclass
class Member:
    """One of the processes: running with a pid, or waiting for `due_at` (`time.monotonic()`)."""

    program: Program
    pid: int | None = None
    started_at: float = 0
    due_at: float = 0
    failures: int = 0

    def start(self, accounts: Accounts) -> None:
        self.started_at = time.monotonic()
        self.pid = os.fork() or _live(self.program, accounts)

    def ended(self) -> None:
        """Note that it is gone; one that fails at once waits a second longer each time."""
        is_steady = time.monotonic() - self.started_at > STEADY_SECONDS
        self.failures = 0 if is_steady else self.failures + 1
        self.due_at = time.monotonic() + min(self.failures, LONGEST_WAIT)
        self.pid = None

    def signal(self, number: int) -> None:
        """To the process and to what it has started: each leads a group of its own."""
        if self.pid is not None:
            os.killpg(self.pid, number)


def main(names: list[str]) -> int:
    """Load the panel, start the programs of these names, look after them until SIGTERM."""
    settings = Settings.read()
    programs = [row for row in panel_programs(settings) if row.name in names and row.module]
    for program in programs:
        importlib.import_module(program.module)
    # Most of them talk to the engine and to Git, by libraries that are loaded when first used.
    RealAdapters(settings).load()
    configure_mappers()
    gc.collect()
    gc.freeze()  # the collector does not write into what the children share
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    accounts = Accounts(are_separate=ROOT_ONLY in os.environ)
    members = [Member(program) for program in programs]
    while _keep_up(members, accounts):
        pass
    _end(members)
    return 0


def _keep_up(members: list[Member], accounts: Accounts) -> bool:
    """One round: start what is due, wait for news. False when it is time to end."""
    now = time.monotonic()
    for member in members:
        if member.pid is None and member.due_at <= now:
            member.start(accounts)
    news = signal.sigtimedwait(WATCHED, 1.0)
    _reap(members)
    return news is None or news.si_signo == signal.SIGCHLD


def _reap(members: list[Member]) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for member in members:
            if member.pid == pid:
                member.ended()


def _end(members: list[Member]) -> None:
    """Ask all to end by themselves, kill those that do not in their time."""
    for member in members:
        if member.pid is not None:
            os.kill(member.pid, signal.SIGTERM)
    began = time.monotonic()
    while any(member.pid for member in members):
        signal.sigtimedwait([signal.SIGCHLD], 0.2)
        _reap(members)
        for member in members:
            if time.monotonic() - began > member.program.stop_seconds:
                member.signal(signal.SIGKILL)


def _live(program: Program, accounts: Accounts) -> NoReturn:
    """What a child does: become its user, bear its name, be the process."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        os.setpgid(0, 0)
        become(accounts, program.account)
        set_parent_death_signal(signal.SIGTERM)
        _bear(program.name)
        importlib.import_module(program.module).main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception:  # noqa: BLE001 -- the edge of a process: what happened is in its log
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _bear(name: str) -> None:
    """Show `name` in `ps` and `top` (proc(5), comm: 15 characters)."""
    Path("/proc/self/comm").write_text(name[:15])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
