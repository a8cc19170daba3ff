"""What a panel that was killed may leave: bubblewrap's first process, waiting for its parent.

bubblewrap has its processes end with it, but says so to the kernel only after the child has heard
from its parent; one that loses the parent in the millisecond before waits for ever, with none of
the package's code in it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def end_orphans(marker: str) -> None:
    """Kill first processes of PID namespaces that have `marker` among their words while their
    parent has not: those of whom nobody knows any more. Only this user's can be."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and marker in _words(folder):
            with contextlib.suppress(OSError, ValueError, KeyError):
                status = dict(
                    line.split(":", 1) for line in (folder / "status").read_text().splitlines()
                )
                is_first = status["NSpid"].split()[1:] == ["1"]
                if is_first and marker not in _words(Path("/proc") / status["PPid"].strip()):
                    os.kill(int(folder.name), signal.SIGKILL)


def _words(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
