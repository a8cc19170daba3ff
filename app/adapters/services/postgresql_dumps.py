"""Dumps of a PostgreSQL database, and putting one in the place of what is there."""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import psycopg
from psycopg import IsolationLevel, errors
from psycopg.sql import SQL, Identifier

from app.adapters.engine import Engine
from app.adapters.services import Contents
from app.adapters.services.postgresql_scripts import load_script
from app.adapters.services.postgresql_sql import (
    NEW,
    OLD,
    PORT,
    RESTORER,
    Connection,
    Login,
    count_rows,
    drop_database,
    drop_role,
    ensure_database,
    ensure_role,
    furnish_database,
    refuse_missing_extensions,
    swap_databases,
)
from app.errors import Invalid, PanelError, Unavailable

# A dump runs at 20-50 MB a second; this leaves room for 100 GB.
_DUMP_SECONDS = 2 * 3600
# Each try waits five seconds for sessions to end.
_SWAP_TRIES = 6
_DAMAGED = "The backup is damaged, or is no dump of PostgreSQL."
NO_DUMP = "The file is no dump of PostgreSQL. Bring what pg_dump writes, as SQL or with “-Fc”."
_CUSTOM = b"PGDMP"
# What a dump says of itself in the beginning of its list.
_FROM = re.compile(r"^; +Dumped from database version: (\d+)", re.MULTILINE)
_EXTENSION = re.compile(r"^\d+; \d+ \d+ EXTENSION - (\S+)", re.MULTILINE)
# Made by us in the new database, or there from the start: a site's role may not make them.
_OURS = re.compile(
    r"^\d+; \d+ \d+ (EXTENSION - |COMMENT - EXTENSION |SCHEMA - public |COMMENT - SCHEMA public )"
)
# Into a file first: pg_restore reads 4 KB at a time, and with the engine's own pipe at the other
# end that takes half as long again (measured).
_NO_ROOM = 90
_TAKE_IN = f'umask 077; cat > "$1" || exit {_NO_ROOM}; exec pg_restore --format=custom --list "$1"'
# Starting a command in a container takes as long as making a database, so it is done meanwhile:
# what is to be restored comes in when that is there, and nothing when it could not be made. The
# files are gone before it begins: nobody has to come back for them.
_RESTORE = (
    f'umask 077; cat > "$2" || exit {_NO_ROOM}; exec < "$1" 3< "$2"; rm "$1" "$2";'
    ' [ -s /dev/fd/3 ] || exit 1; shift 2; exec "$@" --use-list=/dev/fd/3'
)
_BROKEN_OFF = ("could not read from input file", "could not find block", "could not uncompress")
_PIECE = 256 * 1024


class Connect(Protocol):
    """Opens a connection to a database, as administrator or as somebody with a password."""

    def __call__(
        self, database: str, user: str = ..., password: str = ..., /
    ) -> AbstractContextManager[Connection]: ...


def is_dump(head: bytes) -> bool:
    """Whether a file that begins like this is a dump, of the custom format or SQL."""
    is_script = head.startswith(b"--") and b"PostgreSQL database dump" in head
    return head.startswith(_CUSTOM) or is_script


@dataclass(frozen=True)
class Tools:
    """A container with the programs, a folder in it with room for a dump, and for a server
    elsewhere how they come to it; without `login` they come by the socket as administrator."""

    engine: Engine
    container: str
    folder: str
    server: str
    login: Login | None = None

    def run(
        self,
        *words: str,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
        password: str = "",
    ) -> tuple[int | None, str]:
        """Exit code and the end of what was said. `password` is for another than the
        administrator."""
        variables = self._variables(password)
        done = self.engine.execute(self.container, words, variables, _DUMP_SECONDS, source, sink)
        if done.timed_out:
            raise Unavailable(f"{self.server} took longer than {_DUMP_SECONDS // 3600} hours.")
        return done.exit_code, done.errors

    def _variables(self, password: str) -> dict[str, str]:
        # In the environment of the command alone: everybody may read command lines.
        if self.login is None:
            return {"PGPASSWORD": password} if password else {}
        return {
            "PGHOST": self.login.host,
            "PGPORT": str(self.login.port),
            "PGUSER": self.login.user,
            "PGPASSWORD": password or self.login.password,
            "PGSSLMODE": self.login.tls,
        }


def write_dump(connection: Connection, tools: Tools, key: str, sink: BinaryIO) -> Contents:
    """Dump the database `connection` is to; the rows counted are those that are dumped.

    Counting locks the tables against being emptied between the two, as a site's sessions do.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        snapshot = str(connection.execute("SELECT pg_export_snapshot()").fetchall()[0][0])
        counts = count_rows(connection)
        options = ("--format=custom", "--no-owner", "--no-acl", f"--snapshot={snapshot}")
        code, said = tools.run("pg_dump", *options, f"--dbname={key}", sink=sink)
        # The transaction ends well only if the server was there all along.
        connection.execute("SELECT 1")
    if code != 0:
        raise Unavailable(f"The database cannot be dumped: {last_line(said)}")
    return Contents(counts)


@dataclass(frozen=True)
class _List:
    """The extensions that a dump wants, and what to restore of it: the other lines of its list."""

    extensions: list[str]
    text: str


class Restoring:
    """One dump on its way into one instance. What fails before the swap leaves that as it was.

    The dump is somebody's SQL: it is run by a role that owns the new database and nothing else,
    not by the administrator. The role is not the site's own, whose sixty connections may all be
    in use.
    """

    def __init__(
        self,
        connection: Connection,
        connect: Connect,
        tools: Tools,
        key: str,
        allowed: frozenset[str],
    ) -> None:
        self._connection, self._connect, self._tools = connection, connect, tools
        self._key, self._new, self._restorer = key, key + NEW, key + RESTORER
        self._allowed = allowed
        self._file, self._list = files_of(tools.folder, key)
        self._lies_there = False

    def run(self, source: BinaryIO) -> None:
        """Look at the dump, fill a new database with it, swap when all of it was read."""
        begin = source.tell()
        is_custom = source.read(len(_CUSTOM)) == _CUSTOM
        source.seek(begin)
        try:
            if is_custom:
                self._fill(source)
            else:
                self._fill_by_script(source)
            while source.read(_PIECE):  # to its very end, where an encrypted one proves what it was
                pass
            self._hand_over()
            self._swap()
        finally:
            self._clean_up()

    def _take_in(self, source: BinaryIO) -> _List:
        """What the dump wants. Raises `Invalid` for what cannot be restored here."""
        listed, self._lies_there = io.BytesIO(), True
        words = ("sh", "-c", _TAKE_IN, "sh", self._file)
        code, said = self._tools.run(*words, source=source, sink=listed)
        if code != 0:
            self._see_server()
        self._refuse_without_room(code, said)
        if "unsupported version" in said:
            raise Invalid("The backup was made by a newer version of PostgreSQL.")
        text = listed.getvalue().decode(errors="replace")
        made_by = _FROM.search(text)
        if code != 0 or made_by is None:
            raise Invalid(_DAMAGED)
        major = self._connection.info.server_version // 10_000
        if int(made_by[1]) > major:
            raise Invalid(f"The backup is of PostgreSQL {made_by[1]}, which is newer.")
        extensions = [name for name in _EXTENSION.findall(text) if name != "plpgsql"]
        lines = text.splitlines(keepends=True)
        return _List(extensions, "".join(line for line in lines if not _OURS.match(line)))

    def _fill_by_script(self, source: BinaryIO) -> None:
        password = secrets.token_urlsafe(24)
        self._make_new(password)
        with self._connect(self._new, self._restorer, password) as inside:
            load_script(inside, source, lambda name: self._install([name]), _DUMP_SECONDS)

    def _make_new(self, password: str) -> None:
        """The new database and the role that fills it, which is in no other."""
        _drop_new(self._connection, self._key)
        ensure_role(self._connection, self._restorer, password, connections=2)
        ensure_database(self._connection, self._new, self._restorer)
        with self._connect(self._new) as inside:
            furnish_database(inside, self._restorer, [])

    def _install(self, extensions: Sequence[str]) -> None:
        """As administrator, for whoever brings a dump: most of them need one."""
        if foreign := sorted(set(extensions) - self._allowed):
            raise Invalid(f"The backup needs the extension “{foreign[0]}”, which is not allowed.")
        refuse_missing_extensions(self._connection, extensions, self._tools.server)
        with self._connect(self._new) as inside:
            furnish_database(inside, self._restorer, extensions)

    def _fill(self, source: BinaryIO) -> None:
        """The new database is made while the dump comes in, and what fills it is started before
        it is there."""
        password = secrets.token_urlsafe(24)
        with ThreadPoolExecutor(2, "restore") as beside:
            making = beside.submit(self._make_new, password)
            wanted = self._take_in(source)
            reading, writing = os.pipe()
            restoring = beside.submit(self._restore, reading, password)
            # Without a reader it has failed, and says why.
            with suppress(BrokenPipeError), os.fdopen(writing, "w", encoding="utf-8") as told:
                making.result()
                if wanted.extensions:
                    self._install(wanted.extensions)
                told.write(wanted.text)
        code, said = restoring.result()
        if code != 0:
            self._see_server()
        self._refuse_without_room(code, said)
        if any(words in said for words in _BROKEN_OFF):
            raise Invalid(_DAMAGED)
        if code != 0:
            raise Invalid(f"The backup cannot be restored: {last_line(said)}")

    def _restore(self, told: int, password: str) -> tuple[int | None, str]:
        """Exit code of `pg_restore` and what it said. It begins when the list of what to restore
        has come through the pipe `told`, and does not when that is closed before."""
        login = self._tools.login
        host, port = (login.host, login.port) if login else ("127.0.0.1", PORT)
        options = ("--no-owner", "--no-acl", "--exit-on-error")
        target = f"host={host} port={port} user={self._restorer} dbname={self._new}"
        words = ("pg_restore", "--format=custom", *options, f"--dbname={target}")
        script = ("sh", "-c", _RESTORE, "sh", self._file, self._list)
        with os.fdopen(told, "rb", buffering=0) as source:
            code, said = self._tools.run(*script, *words, source=source, password=password)
        self._lies_there = code != 0
        return code, said

    def _refuse_without_room(self, code: int | None, said: str) -> None:
        """A part of a dump, or of its list, must not be taken for the whole."""
        if code == _NO_ROOM:
            raise Unavailable(f"{self._tools.server} has no room for the backup: {last_line(said)}")

    def _see_server(self) -> None:
        """Raises `Unavailable` when the server ended meanwhile: whatever failed, failed by that,
        and the backup may be good."""
        self._connection.execute("SELECT 1")

    def _hand_over(self) -> None:
        words = {
            "new": Identifier(self._new),
            "from": Identifier(self._restorer),
            "to": Identifier(self._key),
        }
        with self._connect(self._new) as inside, inside.transaction():
            inside.execute(SQL("REASSIGN OWNED BY {from} TO {to}").format(**words))
            inside.execute(SQL("ALTER DATABASE {new} OWNER TO {to}").format(**words))
            inside.execute(SQL("DROP OWNED BY {from}").format(**words))
            furnish_database(inside, self._key, ())

    def _swap(self) -> None:
        drop_database(self._connection, self._key + OLD)
        for left in reversed(range(_SWAP_TRIES)):
            try:
                return swap_databases(self._connection, self._key)
            except errors.ObjectInUse:
                if not left:
                    raise
        return None

    def _clean_up(self) -> None:
        """Nothing of it stays, on whichever way it ended; after a worker that died, `tidy` does
        it, or the next one."""
        if self._lies_there:
            with suppress(psycopg.Error, PanelError):
                self._tools.run("rm", "-f", self._file, self._list)
        with suppress(psycopg.Error, PanelError):
            drop_beside(self._connection, self._key)


def files_of(folder: str, key: str) -> tuple[str, str]:
    """The dump of an instance on its way in, and the list of what is restored of it."""
    return f"{folder}/{key}.dump", f"{folder}/{key}.list"


def drop_beside(connection: Connection, key: str) -> None:
    """Drop the database that is being filled, and the one that was replaced."""
    _drop_new(connection, key)
    drop_database(connection, key + OLD)


def _drop_new(connection: Connection, key: str) -> None:
    drop_database(connection, key + NEW)
    drop_role(connection, key + RESTORER)


def last_line(said: str) -> str:
    """The end of what a program said, for a sentence."""
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given."
