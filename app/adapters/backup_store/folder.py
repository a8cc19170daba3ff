"""Backups as files in a folder, which nobody but their owner reads."""

from __future__ import annotations

import datetime
import errno
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.adapters.backup_store import Space, Stored
from app.errors import Invalid, NotFound, Unavailable

SUFFIX = ".age"
DRAFTS = "drafts"
FULL = "The disk with the backups is full. An operator must make room."
BROKEN = "The folder with the backups cannot be used ({reason}). An operator must look at it."
GONE = "The file of this backup is not in the store any more."
_NAME = re.compile(r"[a-z0-9-]{1,64}")


class FolderStore:
    """`<name>.age` in `folder`, drafts in a folder of their own beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        path = self._path(name, is_draft=True)
        with _translated():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = _Draft(descriptor)
        try:
            yield cast(BinaryIO, file)
            with _translated():
                os.fsync(descriptor)
                # Who reads it again to verify it reads the disk, not what is still in memory.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            file.close()

    def open_draft(self, name: str) -> BinaryIO:
        return self._open(self._path(name, is_draft=True))

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
        return self._open(self._path(name, is_draft=False))

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

    def _open(self, path: Path) -> BinaryIO:
        with _translated():
            try:
                return path.open("rb", buffering=0)
            except FileNotFoundError as error:
                raise NotFound(GONE) from error


class _Draft(io.RawIOBase):
    """A file that is being written; says in words that the disk is full."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        rest = memoryview(data)
        with _translated():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


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
