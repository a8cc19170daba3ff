"""The database of the panel as one state: SQLite's own online copy, PostgreSQL table by table.

PostgreSQL's tables are copied in one snapshot by `COPY`, and come back into the schema that the
migrations make. That needs no `pg_dump` of the server's version, which a container of the panel
does not have, and a newer server reads it as well.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy import inspect

from app.config import Settings
from app.errors import Invalid, Unavailable
from app.extensions import db
from app.panel_backups.archive import PIECE, Entry, Writer

SQLITE, TABLES = "database/panel.sqlite3", "database/tables.json"
VERSION_TABLE = "alembic_version"
_FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"


class Snapshot:
    """One state of the database. Take it, then `add` it; `schema` is its revision.

    Raises `Invalid` when there is none yet.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._file = folder / "panel.sqlite3"
        self._connection: psycopg.Connection[Any] | None = None
        if settings.uses_sqlite:
            self.schema = self._copy(sqlite_file(settings))
        else:
            self.schema = self._begin(settings)

    def _copy(self, database: Path) -> str:
        if not database.exists():
            raise Invalid("There is no database yet: nothing to back up.")
        with (
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(self._file)) as copied,
        ):
            source.backup(copied)
            # Alone and at rest it needs no log beside it.
            copied.execute("PRAGMA journal_mode=DELETE")
            return _revision(copied)

    def _begin(self, settings: Settings) -> str:
        self._connection = _connect(settings)
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        return _revision(self._connection)

    def add(self, writer: Writer) -> None:
        """Put it into the archive."""
        if self._connection is None:
            with self._file.open("rb") as file:
                writer.add_plain(SQLITE, file)
            return
        tables = _tables(self._connection)
        sequences = dict(self._connection.execute(_SEQUENCES).fetchall())
        facts = {"tables": tables, "sequences": sequences}
        writer.add_plain(TABLES, io.BytesIO(json.dumps(facts, indent=1).encode()))
        for table, columns in tables.items():
            with writer.spool() as rows:
                statement = sql.SQL("COPY {} ({}) TO STDOUT").format(*_names(table, columns))
                with self._connection.cursor().copy(statement) as copy:
                    for piece in copy:
                        rows.write(piece)
                rows.seek(0)
                writer.add_plain(f"database/{table}.copy", rows)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Arrival:
    """Takes the entries of a database out of an archive; `finish` makes them count."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: psycopg.Connection[Any] | None = None
        self._facts: dict[str, Any] = {}
        self._foreign_keys: list[tuple[str, str, str]] = []

    def take(self, entry: Entry) -> None:
        if entry.file is None:
            return
        if entry.info.name == SQLITE:
            target = sqlite_file(self._settings)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            with target.open("wb") as file:
                shutil.copyfileobj(entry.file, file, PIECE)
                os.fsync(file.fileno())
        elif entry.info.name == TABLES:
            self._facts = json.loads(entry.file.read())
            self._empty()
        elif entry.info.name.endswith(".copy"):
            self._fill(entry.info.name, entry.file)

    def _empty(self) -> None:
        """In one transaction with what follows: no rows of the migrations, and no foreign keys,
        which would ask for an order of tables."""
        self._connection = connection = _connect(self._settings)
        self._foreign_keys = connection.execute(_FOREIGN_KEYS).fetchall()
        for table, name, _ in self._foreign_keys:
            statement = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            connection.execute(statement.format(sql.SQL(table), sql.Identifier(name)))
        for table in _tables(connection):
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))

    def _fill(self, name: str, rows: IO[bytes]) -> None:
        table = name.removeprefix("database/").removesuffix(".copy")
        columns = self._facts["tables"].get(table)
        if self._connection is None or columns is None:
            raise Invalid("The backup is damaged: a table is not in its list.")
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(*_names(table, columns))
        with self._connection.cursor().copy(statement) as copy:
            while piece := rows.read(PIECE):
                copy.write(piece)

    def finish(self) -> None:
        connection = self._connection
        if connection is None:
            return
        for name, value in self._facts["sequences"].items():
            if value is not None:
                connection.execute("SELECT setval(%s::regclass, %s)", (name, value))
        for table, name, definition in self._foreign_keys:
            words = "ALTER TABLE {} ADD CONSTRAINT {} {}"
            parts = (sql.SQL(table), sql.Identifier(name), sql.SQL(definition))
            connection.execute(sql.SQL(words).format(*parts))
        connection.commit()

    def close(self) -> None:
        """Lets go; without `finish` PostgreSQL is as it was."""
        if self._connection is not None:
            self._connection.close()


def is_empty(settings: Settings) -> bool:
    """Whether the database that the settings name has no tables yet."""
    if settings.uses_sqlite:
        file = sqlite_file(settings)
        return not file.exists() or file.stat().st_size == 0
    try:
        return not inspect(db.engine).get_table_names()
    finally:
        db.engine.dispose()


def sqlite_file(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def _connect(settings: Settings) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(settings.database_url.replace("+psycopg", "", 1))
    except psycopg.OperationalError as error:
        raise Unavailable("The panel's database does not answer.") from error


def _revision(connection: sqlite3.Connection | psycopg.Connection[Any]) -> str:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
        row = None
    if row is None:
        raise Invalid("There is no database yet: nothing to back up.")
    return str(row[0])


def _tables(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Columns by table, without the one that holds the revision: the migrations write it."""
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema"
        ".tables USING (table_schema, table_name) WHERE table_schema = current_schema() AND "
        "table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position"
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, column in rows:
        if table != VERSION_TABLE:
            found.setdefault(table, []).append(column)
    return found


def _names(table: str, columns: list[str]) -> tuple[sql.Composable, sql.Composable]:
    return sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
