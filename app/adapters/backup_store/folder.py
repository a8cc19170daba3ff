"""Backups as files in a folder, which nobody but their owner reads."""

from __future__ import annotations

import datetime
import errno
import io
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.adapters.backup_store import BROKEN_OFF, Draft, Space, Stored
from app.errors import Invalid, NotFound, Unavailable

SUFFIX = ".age"
DRAFTS = "drafts"
FULL = "The disk with the backups is full. An operator must make room."
BROKEN = "The folder with the backups cannot be used ({reason}). An operator must look at it."
GONE = "The file of this backup is not in the store any more."
STRETCH = 8 * 1024**2
"""Bytes that are written out at once."""
_NAME = re.compile(r"[a-z0-9-]{1,64}")


class FolderStore:
    """`<name>.age` in `folder`, drafts in a folder of their own beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def writing(self, name: str) -> Iterator[Draft]:
        path = self._path(name, is_draft=True)
        with _translated():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        draft = _Draft(path, descriptor)
        try:
            yield draft
            draft.complete()
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            draft.close()

    def publish(self, name: str) -> None:
        draft, path = self._path(name, is_draft=True), self._path(name, is_draft=False)
        with _translated():
            try:
                draft.replace(path)
            except FileNotFoundError as error:
                if path.exists():
                    return
                raise NotFound(GONE) from error
            _sync_folder(self._folder)

    def open(self, name: str) -> BinaryIO:
        return _open(self._path(name, is_draft=False))

    def size(self, name: str) -> int | None:
        with _translated():
            try:
                return self._path(name, is_draft=False).stat().st_size
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> None:
        with _translated():
            self._path(name, is_draft=False).unlink(missing_ok=True)
            self._path(name, is_draft=True).unlink(missing_ok=True)

    def delete_draft(self, name: str) -> None:
        with _translated():
            self._path(name, is_draft=True).unlink(missing_ok=True)

    def list_stored(self) -> Iterator[Stored]:
        with _translated():
            for folder, is_draft in ((self._folder, False), (self._folder / DRAFTS, True)):
                for path in sorted(folder.glob(f"*{SUFFIX}")):
                    try:
                        state = path.stat()
                    except FileNotFoundError:  # deleted meanwhile
                        continue
                    changed = datetime.datetime.fromtimestamp(state.st_mtime, datetime.UTC)
                    yield Stored(path.stem, state.st_size, is_draft, changed)

    def space(self) -> Space | None:
        with _translated():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            usage = shutil.disk_usage(self._folder)
        return Space(usage.free, usage.total)

    def _path(self, name: str, *, is_draft: bool) -> Path:
        if not _NAME.fullmatch(name):
            raise Invalid("This is no name of a backup.")
        return (self._folder / DRAFTS if is_draft else self._folder) / f"{name}{SUFFIX}"


class _Draft:
    """A file that is being written; says in words that the disk is full."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._size, self._is_complete, self._is_closed = 0, False, False
        self._changed = threading.Condition()

    def write(self, data: Any, /) -> int:
        rest = memoryview(data)
        with _translated():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        with self._changed:
            self._size += len(data)
            self._changed.notify_all()
        return len(data)

    def complete(self) -> None:
        """All of it is on the disk."""
        with _translated():
            os.fsync(self._descriptor)
        with self._changed:
            self._is_complete = True
            self._changed.notify_all()

    def close(self) -> None:
        """No more is coming."""
        os.close(self._descriptor)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def read_back(self) -> BinaryIO:
        file = _open(self._path)
        return cast(BinaryIO, _ReadBack(file, self._await_beyond))

    def _await_beyond(self, at: int) -> int:
        """Up to where it may be read: a stretch beyond `at`, or all of it."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._size >= at + STRETCH or self._is_complete or self._is_closed
            )
            if self._is_closed and not self._is_complete:
                raise Unavailable(BROKEN_OFF)
            return min(self._size, at + STRETCH)


class _ReadBack(io.RawIOBase):
    """Reads `file` stretch after stretch from the disk, not what is still in memory: each is
    written out and forgotten first. So a backup takes no memory from what sites read, and fresh
    memory, which a virtual machine has to be given, for a stretch only: reading 200 MB back after
    all was written took 0.5 s, and takes 0.3 s (measured)."""

    def __init__(self, file: BinaryIO, await_beyond: Callable[[int], int]) -> None:
        super().__init__()
        self._file, self._await_beyond = file, await_beyond
        self._at = self._end = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        with _translated():
            if self._at == self._end:
                self._settle()
            piece = self._file.read(min(size, self._end - self._at))
        self._at += len(piece)
        return piece

    def _settle(self) -> None:
        self._end = self._await_beyond(self._at)
        os.fdatasync(self._file.fileno())
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _open(path: Path) -> BinaryIO:
    with _translated():
        try:
            return path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise NotFound(GONE) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Unavailable(FULL) from error
        reason = os.strerror(error.errno) if error.errno else "unknown"
        raise Unavailable(BROKEN.format(reason=reason)) from error


def _sync_folder(folder: Path) -> None:
    """The new name is on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
