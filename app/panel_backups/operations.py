"""Taking a backup of the panel while it runs. Called by `flask panel backup` only."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyrage

from app.audit.operations import record
from app.config import Settings
from app.errors import Conflict, Invalid, Unavailable
from app.extensions import now
from app.installation import installation
from app.keyrings import alone_with
from app.panel_backups.archive import HEADER, Header, Writer, header_bytes, reading
from app.panel_backups.database import Snapshot
from app.panel_backups.envelope import opening, sealing
from app.panel_backups.files import STORE, add_files, add_path
from app.routes.queries import load_feed
from app.transactions import end_reading, unit_of_work


@dataclass(frozen=True)
class Taken:
    """A backup that is written. `sha256` is of the encrypted file; `store_bytes` are those of
    sites' backups, which were left out."""

    uuid: str
    files: int
    size: int
    sha256: str
    store_bytes: int


def take_backup(target: Path, recipients: Sequence[str], *, with_store: bool) -> Taken:
    """Write a backup to `target`, read it again, and only then give it its name.

    Raises `Conflict` when `target` exists, `Invalid` when it lies in the data directory, and
    `Unavailable` with the reason when something cannot be read or written; nothing is left then.
    """
    settings = installation().settings
    target = target.absolute()
    if target.exists():
        raise Conflict(f"{target} is there already. Choose another name.")
    if target.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Invalid(f"Choose a place outside of {settings.data_dir}, best on another machine.")
    with _draft_of(target) as draft:
        with draft.open("wb") as file:
            # Nobody else ever has this key: with it, and without the operator's, what was
            # written can be read again.
            passing = pyrage.x25519.Identity.generate()
            taken = _write_backup(file, [*recipients, str(passing.to_public())], with_store)
            file.flush()
            os.fsync(file.fileno())
        header, count = check_backup(draft, [passing])
        if (header.uuid, count) != (taken.uuid, taken.files) or _digest(draft) != taken.sha256:
            raise Unavailable("What was written is not what is read again: look at the disk.")
        draft.rename(target)
        _sync(target.parent)
    _note(taken)
    return taken


def stream_backup(target: IO[bytes], recipients: Sequence[str], *, with_store: bool) -> Taken:
    """Write a backup to a stream; with less certainty than `take_backup`, which reads it again."""
    taken = _write_backup(target, recipients, with_store)
    target.flush()
    _note(taken)
    return taken


def _note(taken: Taken) -> None:
    with unit_of_work():
        record(
            "panel.backup",
            taken.uuid,
            actor=None,
            organisation_id=None,
            files=taken.files,
            sha256=taken.sha256,
        )


def _write_backup(target: IO[bytes], recipients: Sequence[str], with_store: bool) -> Taken:
    settings = installation().settings
    to = [_recipient(text) for text in recipients]
    counting = _Counting(target)
    scratch = settings.data_dir / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=scratch, prefix="backup-") as name,
        sealing(counting, to) as stream,
    ):
        writer = Writer(stream, Path(name))
        number = _write(writer, settings, Path(name), with_store)
        writer.close()
    left_out = 0 if with_store else _size(settings.data_dir / STORE)
    return Taken(number, writer.count, counting.size, counting.digest.hexdigest(), left_out)


def _write(writer: Writer, settings: Settings, scratch: Path, with_store: bool) -> str:
    """The order is what makes it one whole. The database comes before the files: rows are there
    before what they stand for and go after it, so that each file a row needs is found, or its row
    says that it is being removed. Keys come with the database: a rotation waits meanwhile, so
    that every secret in it has its key."""
    installation_id = load_feed().epoch
    end_reading()
    with _keys_at_rest(settings), closing(Snapshot(settings, scratch)) as snapshot:
        header = Header(
            uuid=str(uuid.uuid4()),
            created_at=now().isoformat(timespec="seconds"),
            schema=snapshot.schema,
            database="sqlite" if settings.uses_sqlite else "postgresql",
            installation=installation_id,
            has_store=with_store,
        )
        writer.add_plain(HEADER, io.BytesIO(header_bytes(header)))
        _add_secrets(writer, settings)
        snapshot.add(writer)
    add_files(writer, settings.data_dir, with_store)
    return header.uuid


@contextmanager
def _keys_at_rest(settings: Settings) -> Iterator[None]:
    """While nobody rotates keys."""
    with alone_with(settings.data_dir / "secrets" / "site.keys"):
        if settings.operator_keys_file.parent == settings.data_dir / "secrets":
            yield
            return
        with alone_with(settings.operator_keys_file):
            yield


def _add_secrets(writer: Writer, settings: Settings) -> None:
    folder = settings.data_dir / "secrets"
    add_path(writer, folder, "files/secrets")
    for path in sorted(folder.iterdir()):
        if path.is_file() and path != settings.operator_keys_file:
            add_path(writer, path, f"files/secrets/{path.name}")
    if not add_path(writer, settings.operator_keys_file, "files/secrets/operator.keys"):
        raise Unavailable(
            "The operator's keys are not here: back up where the worker runs, or as root.",
            retry=False,
        )


def check_backup(file: Path, identities: Sequence[Any]) -> tuple[Header, int]:
    """Read a backup from beginning to end; its header and how many files it has.

    Raises `Invalid` when no key opens it, when it is damaged, cut off or something else.
    """
    with file.open("rb") as source, opening(source, identities) as plain, reading(plain) as found:
        for _ in found.entries():
            pass
    return found.header, found.count


def _recipient(text: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise Invalid(f"“{text}” is no public key: those begin with “age1”.") from error


class _Counting:
    """Notes size and SHA-256 of what is written to a stream."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        written = self._target.write(piece)
        self.size += written
        self.digest.update(piece[:written])
        return written

    def flush(self) -> None:
        self._target.flush()


@contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    """A new file beside `target`, which its owner alone reads; removed unless it is renamed."""
    draft = target.with_name(f"{target.name}.partial")
    try:
        draft.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise Conflict(
            f"{draft} is there: a backup is being written, or one was cut off. Remove it then."
        ) from error
    except OSError as error:
        raise Unavailable(f"{draft} cannot be written ({error.strerror}).") from error
    try:
        yield draft
    except OSError as error:
        raise Unavailable(f"The backup cannot be written ({error.strerror}).") from error
    finally:
        draft.unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # workers go on
            found = path.stat()
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
