"""Deaths of workers, planned by a test: a file for each, named by the step at which it comes.

All may be planned at once: a second worker may be a step ahead before a test has seen that the
first one is dead. Whoever dies removes the file, so that the worker started in its place lives.
"""

from __future__ import annotations

import signal
from pathlib import Path

VARIABLE = "MOONBASE_DEATHS"


def plan_death(
    folder: Path, step: str, after: float = 0, how: signal.Signals = signal.SIGKILL
) -> Path:
    """The file of the worker's and its parent's death, so many seconds into the step."""
    folder.mkdir(exist_ok=True)
    draft = folder / ".draft"
    draft.write_text(f"{after} {how.name}")
    return draft.rename(folder / step)


def planned(folder: Path, step: str) -> tuple[float, signal.Signals] | None:
    """When and how it is to die at this step, if at all."""
    try:
        after, how = (folder / step).read_text().split()
    except FileNotFoundError:
        return None
    return float(after), signal.Signals[how]
