"""Secrets at rest: a ring of keys, the first of which encrypts while all of them decrypt."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from app.config import kept_secret
from app.errors import Unavailable


class KeyRing:
    """Encrypts and decrypts text. `keys` are Fernet keys, the newest first.

    A ring that is kept in a file follows it: what another process has put in front is used from
    the next encryption on, and what is encrypted with it can be read at once.
    """

    def __init__(self, keys: list[str]) -> None:
        self._path: Path | None = None
        self._seen: tuple[int, ...] = ()
        self._take(keys)

    @classmethod
    def kept_in(cls, path: Path) -> KeyRing:
        """The ring in `path`, one key a line; a file with one new key is made on the first call."""
        if not path.exists():
            kept_secret(path, Fernet.generate_key().decode())
        seen = _state_of(path)
        ring = cls(path.read_text().split())
        ring._path, ring._seen = path, seen
        return ring

    def encrypt(self, text: str) -> str:
        self._follow()
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises `Unavailable` when no key of the ring opens `token`."""
        raw = token.encode()
        try:
            return self._fernet.decrypt(raw).decode()
        except InvalidToken:
            self._follow()
        try:
            return self._fernet.decrypt(raw).decode()
        except InvalidToken as error:
            raise Unavailable(UNREADABLE, retry=False) from error

    def is_of_newest(self, token: str) -> bool:
        """Whether the newest key encrypted `token`, so that it needs none of the others."""
        self._follow()
        try:
            self._newest.decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    @property
    def size(self) -> int:
        self._follow()
        return self._size

    def _follow(self) -> None:
        """Read the file again if it is another one than before."""
        if self._path is None:
            return
        seen = _state_of(self._path)
        if seen != self._seen:
            self._take(self._path.read_text().split())
            self._seen = seen

    def _take(self, keys: list[str]) -> None:
        ring = [Fernet(key) for key in keys]
        self._newest, self._size = ring[0], len(ring)
        self._fernet = MultiFernet(ring)


UNREADABLE = (
    "A stored secret cannot be decrypted: its key is not in the key ring. After a restored backup, "
    "put the keys of the same time back too."
)


def _state_of(path: Path) -> tuple[int, ...]:
    """What tells one version of a file from another; it is replaced, never written into."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def add_key(path: Path) -> int:
    """Put a new key in front of the ring in `path`. Returns how many there are now."""
    with alone_with(path):
        keys = path.read_text().split() if path.exists() else []
        replace_keys(path, [Fernet.generate_key().decode(), *keys])
        return len(keys) + 1


def drop_old_keys(path: Path) -> int:
    """Leave only the newest key in the ring in `path`. Returns how many went: what they alone
    open is lost with them."""
    with alone_with(path):
        keys = path.read_text().split()
        replace_keys(path, keys[:1])
        return len(keys) - 1


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Two operators at once wait for each other: neither one's key is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace_keys(path: Path, keys: Sequence[str], first_mode: int = 0o600) -> None:
    """Write the file anew in one step; owner, group and mode stay as they were."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("w") as file:
        os.fchmod(file.fileno(), first_mode)
        if path.exists():
            kept = path.stat()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), kept.st_uid, kept.st_gid)
            os.fchmod(file.fileno(), kept.st_mode & 0o777)
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


EXTENSION = "moonbase.site_keys"
"""Where an app keeps its ring of `SITE_KEYS`, so that two apps in one process keep apart."""


class Encrypted(TypeDecorator[str]):
    """Text that is readable in the process only, never in the database file or a dump of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else site_ring().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else site_ring().decrypt(value)


def site_ring() -> KeyRing:
    """The ring of the present app."""
    return cast(KeyRing, current_app.extensions[EXTENSION])
