"""Secrets that only workers may read (OPERATOR_KEYS): anybody seals, who has the keys opens.

`secrets/operator.recipients` holds public keys (age, X25519), one a line, the newest first;
`secrets/operator.keys` the identities that open what was sealed for them. The web process has
the first file only: it can take an administrator's password and never tell it.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

import pyrage
from flask import current_app
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from app.errors import Unavailable
from app.keyrings import alone_with, replace_keys

EXTENSION = "moonbase.operator_keys"
NEEDS_KEY = "moonbase.needs_key"
"""In the `info` of a column that names whom a file elsewhere is sealed for, as `Seal.recipient`
prints it: its key is kept until no row needs it."""
NO_KEYS = "The operator's keys are not made yet: run “flask panel migrate”."
NOT_HERE = "The operator's keys are not here: do this where the worker runs, or as root."
UNREADABLE = (
    "A sealed secret cannot be opened: its key is not among the operator's keys. After a restored "
    "backup, put the keys of the same time back too."
)


class Seal:
    """Seals for the newest recipient and opens with any identity. `folder` is `secrets/`; the
    identities lie in `keys`, beside the recipients by default."""

    def __init__(self, folder: Path, keys: Path | None = None) -> None:
        self.keys = keys or folder / "operator.keys"
        self.recipients = folder / "operator.recipients"

    def ensure(self) -> None:
        """Make the first pair of keys. Called at the start (`flask panel migrate`), by whoever
        owns the folders: a process that may not read the keys must not make them either."""
        if self.recipients.exists():
            return
        with alone_with(self.keys):
            if not _identities(self.keys):
                replace_keys(self.keys, [str(pyrage.x25519.Identity.generate())])
            self._publish()

    def add_key(self) -> int:
        """Put a new key in front; what is sealed from now on is for it. Returns how many there
        are. The key is safe on the disk before its recipient is known to anybody."""
        with alone_with(self.keys):
            kept = [str(identity) for identity in self._held()]
            replace_keys(self.keys, [str(pyrage.x25519.Identity.generate()), *kept])
            self._publish()
            return len(kept) + 1

    def drop_keys(self, recipients: Collection[str]) -> int:
        """Remove the keys of these recipients, never the newest. Returns how many went."""
        with alone_with(self.keys):
            found = self._held()
            kept = [one for one in found[1:] if str(one.to_public()) not in recipients]
            replace_keys(self.keys, [str(one) for one in (*found[:1], *kept)])
            self._publish()
            return len(found) - len(kept) - 1

    def _held(self) -> list[pyrage.x25519.Identity]:
        """All keys, to be changed. Raises `Unavailable` where the one that is in use is not: a
        container without the keys would else put others in their place."""
        found = _identities(self.keys)
        if str(self.recipient()) not in {str(identity.to_public()) for identity in found}:
            raise Unavailable(NOT_HERE, retry=False)
        return found

    def _publish(self) -> None:
        """Write the recipients of all keys, for everybody of the panel."""
        lines = [str(identity.to_public()) for identity in self.identities()]
        replace_keys(self.recipients, lines, first_mode=0o644)

    def recipient(self) -> pyrage.x25519.Recipient:
        """Whom new things are sealed for. Raises `Unavailable` before the first start."""
        try:
            newest = self.recipients.read_text().split()[0]
        except (OSError, IndexError) as error:
            raise Unavailable(NO_KEYS, retry=False) from error
        return pyrage.x25519.Recipient.from_str(newest)

    def identities(self) -> Sequence[pyrage.x25519.Identity]:
        """All keys, the newest first. Raises `Unavailable` where they may not be read."""
        try:
            return _identities(self.keys)
        except OSError as error:
            raise Unavailable(UNREADABLE, retry=False) from error

    def close(self, text: str) -> str:
        return base64.b64encode(pyrage.encrypt(text.encode(), [self.recipient()])).decode()

    def open(self, token: str) -> str:
        """Raises `Unavailable` when no key opens `token`."""
        return _opened(token, self.identities())

    def is_of_newest(self, token: str) -> bool:
        """Whether the newest key opens `token`, so that it needs none of the others."""
        try:
            _opened(token, self.identities()[:1])
        except Unavailable:
            return False
        return True


def _opened(token: str, identities: Sequence[pyrage.x25519.Identity]) -> str:
    try:
        opened: bytes = pyrage.decrypt(base64.b64decode(token), list(identities))
    except (pyrage.DecryptError, ValueError) as error:
        raise Unavailable(UNREADABLE, retry=False) from error
    return opened.decode()


def _identities(path: Path) -> list[pyrage.x25519.Identity]:
    """Those in the file. Before sealing was, `keys rotate operator` put lines of another kind
    here, which nothing was ever encrypted with; they are passed over."""
    lines = path.read_text().split() if path.exists() else []
    ours = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    return [pyrage.x25519.Identity.from_str(line) for line in ours]


class SealedText:
    """What a sealed column holds: `open` it where the keys are; printing shows nothing."""

    def __init__(self, token: str) -> None:
        self.token = token

    def open(self) -> str:
        return present_seal().open(self.token)

    def __repr__(self) -> str:
        return "SealedText(…)"


class Sealed(TypeDecorator[Any]):
    """Text that goes in plain and comes out as a `SealedText`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | SealedText | None, dialect: Any) -> str | None:
        if isinstance(value, SealedText):
            return value.token
        return None if value is None else present_seal().close(value)

    def process_result_value(self, value: str | None, dialect: Any) -> SealedText | None:
        return None if value is None else SealedText(value)


def present_seal() -> Seal:
    """The one of the present app."""
    return cast(Seal, current_app.extensions[EXTENSION])
