"""Bringing the database to the newest schema, with the old one kept beside it.

Called by `flask panel migrate`, before any process of a new version starts.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade

from app.config import Settings
from app.errors import Conflict
from app.extensions import db

KEPT_COPIES = 3
UNFINISHED = "restore.unfinished"
"""In the data directory while a restore is under way; says of which backup."""


def upgrade_schema(settings: Settings) -> Path | None:
    """Run the migrations that are missing. A SQLite file is copied before, to
    `<name>.before-<newest>-from-<present>`; returns where to, or None when nothing was copied.

    A migration that fails is rolled back by the database and its error raised: the old version
    of the code then runs on as before.
    """
    require_whole(settings)
    present = _revision()
    wanted = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    copy = None
    if settings.uses_sqlite and present and present != wanted:
        file = Path(settings.database_url.removeprefix("sqlite:///"))
        copy = file.with_name(f"{file.name}.before-{wanted}-from-{present}")
        _copy(file, copy)
        _forget_old_copies(file)
    upgrade()
    return copy


def require_whole(settings: Settings) -> None:
    """Raise `Conflict` while a restore of the panel is half done."""
    if (settings.data_dir / UNFINISHED).exists():
        raise Conflict(
            "A restore of the panel was cut off: run “flask panel restore” with the same backup "
            "again."
        )


def _revision() -> str | None:
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _copy(file: Path, target: Path) -> None:
    """SQLite's own online copy: whole also while somebody writes."""
    draft = target.with_name(f".{target.name}")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as copied:
        source.backup(copied)
    draft.chmod(0o600)
    draft.replace(target)


def _forget_old_copies(file: Path) -> None:
    """Keep the newest few: a site of many years would collect dozens."""
    copies = sorted(file.parent.glob(f"{file.name}.before-*"), key=lambda one: one.stat().st_mtime)
    for old in copies[:-KEPT_COPIES]:
        old.unlink()
