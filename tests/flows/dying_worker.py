"""A real worker that kills or halts itself, and its parent, at a step a test has named.

Which step, after how many seconds and by which signal stands in the folder MOONBASE_DEATHS. Who got
SIGSTOP goes on once somebody sends SIGCONT.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from app.config import Settings
from app.processes.worker import main
from app.signals import deletion_stage_begun, step_started
from tests.flows.deaths import VARIABLE, planned

FOLDER = Path(os.environ[VARIABLE])


def _end(step: str, after: float, how: signal.Signals) -> None:
    time.sleep(after)
    (FOLDER / step).unlink(missing_ok=True)
    os.kill(os.getppid(), how)
    if how == signal.SIGSTOP:
        _let_heartbeat_write()
    os.kill(os.getpid(), how)


def _let_heartbeat_write() -> None:
    """Come after it: one that is halted while it writes keeps SQLite's lock until it goes on, and
    nobody could write that another worker has taken over."""
    path = Settings.read().database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _on_step(sender: object, step: str, deployment: str) -> None:
    _die_if_planned(step)


def _on_stage(sender: object, number: int, stage: str) -> None:
    """A stage of the final deletion is planned as `deletion-<number>`."""
    _die_if_planned(f"deletion-{number}")


def _die_if_planned(step: str) -> None:
    if (found := planned(FOLDER, step)) is None:
        return
    after, how = found
    if after == 0:
        _end(step, 0, how)
    else:
        threading.Thread(target=_end, args=(step, after, how), daemon=True).start()


if __name__ == "__main__":
    step_started.connect(_on_step)
    deletion_stage_begun.connect(_on_stage)
    main()
