"""Where tests keep what nobody reads again."""

from __future__ import annotations

import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 8 * 1024**3
"""Bytes: more than twice of what the folders of a whole run hold."""


def folder_in_memory() -> Path | None:
    """A folder that is kept in memory, where there is enough: writing all of it to a disk takes an
    eighth of the processor time of a run. None elsewhere."""
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if is_roomy else None
