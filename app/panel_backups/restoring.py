"""Bringing a backup back into an empty installation. Called by `flask panel restore` only."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from flask_migrate import upgrade

from app.audit.operations import record
from app.config import Settings
from app.errors import Conflict, Invalid, Unavailable
from app.extensions import db
from app.installation import installation
from app.panel_backups.archive import PIECE, Entry, Header, Reader, reading
from app.panel_backups.database import Arrival, is_empty, sqlite_file
from app.panel_backups.envelope import opening
from app.panel_backups.files import MADE_AGAIN
from app.panel_backups.operations import check_backup
from app.routes.queries import load_feed
from app.schema import UNFINISHED, upgrade_schema
from app.transactions import unit_of_work

MADE_BY_STARTING = frozenset(
    {"session.key", "site.keys", "operator.keys", "ingress.token", "backup.recipients"}
)
"""Secrets that any command makes in an empty data directory, and those that
`setup/prepare-production.sh` makes; they are put aside."""
ASIDE = ".before-restore"
LEAP = 1_000_000
"""By how much the version of the routes grows: ingress nodes that went on meanwhile take what
has a greater one only."""


def restore_backup(file: Path, identities: Sequence[Any]) -> Header:
    """Check `file` from beginning to end, then write it into the data directory and database of
    the settings, and bring the schema up to date.

    Raises `Conflict`, with nothing changed, when there is an installation already or one runs,
    and `Invalid` when the backup is damaged or of a newer Moonbase. One that was cut off half-way
    can be run again.
    """
    settings = installation().settings
    header, _ = check_backup(file, identities)
    _require_known(header, settings)
    _require_stopped(settings)
    marker = settings.data_dir / UNFINISHED
    _require_empty(settings, marker, header)
    marker.write_text(header.uuid)
    try:
        _bring_back(file, identities, settings, header)
    except OSError as error:
        raise Unavailable(
            f"The restore stopped half-way ({error.strerror or error}). Run it again when that is "
            "mended."
        ) from error
    marker.unlink()
    upgrade_schema(settings)
    with unit_of_work():
        load_feed().version += LEAP
        record("panel.restore", header.uuid, actor=None, organisation_id=None)
    return header


def _require_known(header: Header, settings: Settings) -> None:
    kind = "sqlite" if settings.uses_sqlite else "postgresql"
    if header.database != kind:
        raise Invalid(
            f"The backup is of a panel with {header.database}, and DATABASE_URL names {kind}. "
            "Change the setting, then try again."
        )
    scripts = ScriptDirectory(current_app.extensions["migrate"].directory)
    try:
        scripts.get_revision(header.schema)
    except CommandError as error:
        raise Invalid("A newer Moonbase made this backup. Restore it with that one.") from error


def _require_stopped(settings: Settings) -> None:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    with suppress(OSError), socket.create_connection((host, settings.port), timeout=2):
        raise Conflict(f"Something answers at {settings.panel_url}: stop the panel first.")


def _require_empty(settings: Settings, marker: Path, header: Header) -> None:
    if marker.exists():
        if marker.read_text() != header.uuid:
            raise Conflict(
                f"A restore of another backup was cut off here. Empty {settings.data_dir} first."
            )
        return
    found = next(_leftovers(settings), None)
    if found:
        raise Conflict(f"{found} is there: restore into an empty data directory.")
    if not is_empty(settings):
        raise Conflict("The database has tables already: restore into an empty one.")


def _leftovers(settings: Settings) -> Iterator[Path]:
    """Files that only an installation has."""
    database = sqlite_file(settings) if settings.uses_sqlite else None
    for path in settings.data_dir.rglob("*"):
        place = path.relative_to(settings.data_dir).parts
        is_fresh = place[0] in MADE_AGAIN or (
            place[0] == "secrets" and len(place) == 2 and place[1] in MADE_BY_STARTING
        )
        is_blank = path == database and path.stat().st_size == 0
        if not path.is_dir() and not is_fresh and not is_blank:
            yield path


def _bring_back(file: Path, identities: Sequence[Any], settings: Settings, header: Header) -> None:
    if header.database == "postgresql":
        upgrade(revision=header.schema)
        db.engine.dispose()
    with (
        file.open("rb") as source,
        opening(source, identities) as plain,
        reading(plain) as found,
        closing(Arrival(settings)) as database,
    ):
        if found.header != header:
            raise Conflict("The backup has changed meanwhile.")
        _write_entries(found, settings, database)
        database.finish()


def _write_entries(found: Reader, settings: Settings, database: Arrival) -> None:
    folders: list[tuple[Path, Entry]] = []
    for entry in found.entries():
        kind, _, name = entry.info.name.partition("/")
        if kind == "database":
            database.take(entry)
            continue
        place = settings.data_dir / name
        if place == settings.data_dir / "secrets" / "operator.keys":
            place = settings.operator_keys_file
        if entry.file is None:
            place.mkdir(parents=True, exist_ok=True)
            folders.append((place, entry))
        else:
            _write_file(place, entry)
    for place, entry in folders:  # last: a folder may be closed to who writes into it
        _give_back(place, entry)


def _write_file(place: Path, entry: Entry) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(place.name + ASIDE)
    if place.name in MADE_BY_STARTING and place.exists() and not aside.exists():
        place.rename(aside)
    place.unlink(missing_ok=True)  # of a restore that was cut off
    number = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "wb") as target:
        shutil.copyfileobj(entry.file, target, PIECE)  # type: ignore[arg-type]
    _give_back(place, entry)
    os.utime(place, (entry.info.mtime, entry.info.mtime))


def _give_back(place: Path, entry: Entry) -> None:
    """Owner and rights as they were; owners of names that this machine does not have become
    those of the panel at its next start."""
    if os.geteuid() == 0:
        with suppress(LookupError):
            shutil.chown(place, user=entry.info.uname or 0)
        with suppress(LookupError):
            shutil.chown(place, group=entry.info.gname or 0)
    place.chmod(entry.info.mode & (0o7777 if entry.file is None else 0o777))
