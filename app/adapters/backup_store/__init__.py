"""Where backups lie, apart from the live data. `folder.py` keeps files, `s3.py` uses any S3.

Called by the room `backups`, from workers only. What is stored is encrypted already. A backup is
written under a temporary name (a **draft**) and published once it was read again and found whole:
who lists what is published sees nothing half-made. A name is a uuid.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

BROKEN_OFF = "This backup was broken off while it was written."


@dataclass(frozen=True)
class Stored:
    """One thing in the store. `changed_at` is when it was last written to, as the store says."""

    name: str
    size: int
    is_draft: bool
    changed_at: datetime.datetime


@dataclass(frozen=True)
class Space:
    """Bytes free and in all."""

    free: int
    total: int


class Draft(Protocol):
    """What is being written, piece by piece from its beginning."""

    def write(self, data: Any, /) -> int:
        """Takes all of a piece."""
        ...

    def read_back(self) -> BinaryIO:
        """Read it from the store itself, in another thread while it is written or later, until it
        is published. Waits for what is still to come, and raises `Unavailable` when that never
        comes."""
        ...


class BackupStore(Protocol):
    """Everything may be asked twice. Raises `Unavailable`, a sentence without secrets, when the
    store is full, refuses or does not answer."""

    def writing(self, name: str) -> AbstractContextManager[Draft]:
        """Write the draft `name`. It is complete and on the disk when the block ends; nothing is
        left of it when the block raises."""
        ...

    def publish(self, name: str) -> None:
        """Give the draft its name, at once; one that was published before is replaced. Silent
        when it was published and the draft is gone; `NotFound` when there is neither."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Read what was published, from the beginning. `NotFound` when it is gone."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of what was published; None when it is not there."""
        ...

    def delete(self, name: str) -> None:
        """Remove what was published and any draft of the name; silent when nothing is there."""
        ...

    def delete_draft(self, name: str) -> None:
        """Remove the draft of the name, also one cut off in the middle; silent without one."""
        ...

    def list_stored(self) -> Iterator[Stored]:
        """All there is: what was published, and drafts, those cut off too."""
        ...

    def space(self) -> Space | None:
        """How much room there is; None where the store has no end."""
        ...
