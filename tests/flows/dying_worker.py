"""A real worker that kills itself, and its parent, at a step a test has named.

The file MOONBASE_DIE_FILE holds "step seconds": at that step, after so many seconds, both get
SIGKILL. The file is removed first, so that the worker started in its place lives.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from app.processes.worker import main
from app.signals import step_started

PLAN = Path(os.environ["MOONBASE_DIE_FILE"])


def _die(after: float) -> None:
    time.sleep(after)
    PLAN.unlink(missing_ok=True)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _on_step(sender: object, step: str, deployment: str) -> None:
    try:
        name, seconds = PLAN.read_text().split()
    except OSError:
        return
    if name != step:
        return
    if float(seconds) == 0:
        _die(0)
    threading.Thread(target=_die, args=(float(seconds),), daemon=True).start()


if __name__ == "__main__":
    step_started.connect(_on_step)
    main()
