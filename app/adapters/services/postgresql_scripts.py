"""Filling a new, empty database with SQL that somebody brings.

Two things guard the server. No program reads the file: it goes to the server statement by
statement over a connection, where commands of psql are nothing but errors. And that connection is
of a role that owns the new database and nothing else: the server itself refuses it other databases,
files and programs of its machine (`COPY … FROM '/…'`, `COPY … PROGRAM`, `lo_import`), and every
language but trusted ones.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import psycopg
from psycopg import errors, generators, pq
from psycopg.abc import PQGen

from app.adapters.services.postgresql_sql import Connection
from app.adapters.services.postgresql_text import ScriptReader, Statement
from app.errors import Invalid, Unavailable

_EXTENSION = re.compile(
    rb"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?([\w-]+)\"?", re.IGNORECASE
)
_PASSED_OVER = re.compile(
    rb"(ALTER\s+DEFAULT\s+PRIVILEGES|GRANT|REVOKE|CREATE\s+SCHEMA\s+public"
    rb"|COMMENT\s+ON\s+(SCHEMA\s+public|EXTENSION))\b"
    rb"|ALTER\s.*\sOWNER\s+TO\s+(\w+|\"[^\"]+\")$",
    re.IGNORECASE | re.DOTALL,
)
"""Owners and rights, as pg_restore is told to; and what we have made ourselves."""
_SETTING = re.compile(rb"SET\s", re.IGNORECASE)
_COPYING = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH)
_FAILED = "Line {}: {}."
_UNWHOLE = "The file is no dump of one database as pg_dump writes it, or its end is missing."
_LATE = "The file took longer than {} hours."


def load_script(
    connection: Connection, source: BinaryIO, install: Callable[[str], None], seconds: float
) -> None:
    """Run a dump over `connection`, which commits each statement and belongs to a role without
    rights. `install` is asked for each extension. Raises `Invalid` with the line at which it
    fails, and when it is not whole; `Unavailable` after so many seconds."""
    reader = ScriptReader(source)
    connection.prepare_threshold = None  # statements of a dump look alike, and are none of ours
    with _at_most(connection, seconds):
        for statement in reader.statements():
            _run(connection, reader, statement, install)
    if not reader.is_whole:
        raise Invalid(_UNWHOLE)


def _run(
    connection: Connection,
    reader: ScriptReader,
    statement: Statement,
    install: Callable[[str], None],
) -> None:
    if found := _EXTENSION.match(statement.text):
        if found[1] != b"plpgsql":
            install(found[1].decode(errors="replace"))
        return
    if _PASSED_OVER.match(statement.text):
        return
    try:
        if statement.has_rows:
            _copy(connection, reader, statement)
        else:
            _execute(connection, statement)
    except psycopg.Error as error:
        state = error.sqlstate or ""
        is_gone = isinstance(error, psycopg.OperationalError) and not state
        if is_gone or state[:2] in ("08", "53") or state[:3] == "57P":
            raise  # the server's own trouble
        said = (error.diag.message_primary or str(error))[:300].rstrip(".")
        raise Invalid(_FAILED.format(statement.line, said)) from error


def _execute(connection: Connection, statement: Statement) -> None:
    try:
        with connection.lock:
            connection.wait(_discarding(connection.pgconn, statement.text))
    except errors.UndefinedObject:
        # Newer versions write settings that older ones do not know.
        if not _SETTING.match(statement.text):
            raise


def _discarding(line: pq.abc.PGconn, text: bytes) -> PQGen[None]:
    """Send a statement and forget what it answers row by row: a file that selects gigabytes must
    not have them kept here. One row or message has 1 GB at most, by the protocol."""
    failure: psycopg.Error | None = None
    line.send_query(text)
    line.set_single_row_mode()
    yield from generators.send(line)
    while (result := (yield from generators.fetch(line))) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            failure = errors.error_from_result(result)
        elif result.status in _COPYING:
            raise psycopg.ProgrammingError("a COPY that is neither to nor from this file")
    if failure is not None:
        raise failure


def _copy(connection: Connection, reader: ScriptReader, statement: Statement) -> None:
    with connection.cursor() as cursor, cursor.copy(statement.text) as copying:
        for rows in reader.rows():
            copying.write(rows)


@contextmanager
def _at_most(connection: Connection, seconds: float) -> Iterator[None]:
    """Hang up after so long. Not by asking the server to stop: what runs there may refuse, and the
    database is dropped with whoever is in it anyway."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error as error:
        if late.is_set():
            raise Unavailable(_LATE.format(f"{seconds / 3600:g}"), retry=False) from error
        raise
    finally:
        timer.cancel()
