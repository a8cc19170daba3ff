"""Secrets at rest: a ring of keys, the first of which encrypts while all of them decrypt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from app.config import kept_secret
from app.errors import Unavailable


class KeyRing:
    """Encrypts and decrypts text. `keys` are Fernet keys, the newest first."""

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def kept_in(cls, path: Path) -> KeyRing:
        """The ring in `path`, one key a line; a file with one new key is made on the first call."""
        if not path.exists():
            kept_secret(path, Fernet.generate_key().decode())
        return cls(path.read_text().split())

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises `Unavailable` when no key of the ring opens `token`."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise Unavailable(
                "A stored secret cannot be decrypted: its key is not in the key ring.", retry=False
            ) from error


EXTENSION = "moonbase.site_keys"
"""Where an app keeps its ring of `SITE_KEYS`, so that two apps in one process keep apart."""


class Encrypted(TypeDecorator[str]):
    """Text that is readable in the process only, never in the database file or a dump of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else _site_ring().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else _site_ring().decrypt(value)


def _site_ring() -> KeyRing:
    return cast(KeyRing, current_app.extensions[EXTENSION])
