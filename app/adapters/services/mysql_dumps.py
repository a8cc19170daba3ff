"""Dumps of a MariaDB database, and putting one in the place of what is there.

MariaDB cannot rename a database. The tables of the restored one are put in the place of the old
ones by one statement, which happens as a whole or not at all; triggers, views, routines and events
cannot be moved, and are made anew right after it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

import pymysql
from pymysql.constants import ER

from app.adapters.engine import Engine
from app.adapters.services import Contents, Facts
from app.adapters.services.mysql_lines import DumpSink, DumpSource
from app.adapters.services.mysql_sql import (
    NEW,
    OLD,
    Connection,
    Login,
    cut_connections,
    drop_database,
    drop_extras,
    ensure_database,
    find_tables,
    run,
    swap_tables,
    wait_briefly,
)
from app.errors import Invalid, PanelError, Unavailable

# A dump runs at 20-50 MB a second; this leaves room for 100 GB.
_DUMP_SECONDS = 2 * 3600
_SWAP_TRIES = 6
_KILLED = (None, 137, 143)
_DUMP = ("--single-transaction", "--routines", "--events", "--triggers", "--hex-blob")
_EXTRAS = ("--no-data", "--no-create-info", "--routines", "--events", "--triggers")


@dataclass(frozen=True)
class Tools:
    """A container with the programs, a folder in it with room for a dump, and who comes in: the
    site's own account, so that nothing in a dump can do more than the site."""

    engine: Engine
    container: str
    folder: str
    server: str
    login: Login

    def run(
        self, *words: str, source: BinaryIO | None = None, sink: BinaryIO | None = None
    ) -> tuple[int | None, str]:
        """Exit code and the end of what was said."""
        # In the environment of the command alone: everybody may read command lines.
        variables = {"MYSQL_PWD": self.login.password}
        done = self.engine.execute(self.container, words, variables, _DUMP_SECONDS, source, sink)
        if done.timed_out:
            raise Unavailable(f"{self.server} took longer than {_DUMP_SECONDS // 3600} hours.")
        return done.exit_code, done.errors

    def dump(self, sink: BinaryIO, options: tuple[str, ...], *names: str) -> None:
        """Run `mariadb-dump` of a database, or of some tables in it."""
        words = (*options, "--default-character-set=utf8mb4", "--no-tablespaces")
        code, said = self.run("mariadb-dump", *self._target(), *words, *names, sink=sink)
        if code != 0:
            raise Unavailable(f"The database cannot be dumped: {_last_line(said)}")

    def load(self, database: str, path: str, *more: str) -> tuple[int | None, str]:
        """Run a file of SQL. In a sandbox: the client would run programs for it otherwise."""
        client = ("mariadb", *self._target(), "--sandbox", "--batch", "--local-infile=0", *more)
        script = 'file=$1; shift; exec "$@" < "$file"'
        options = ("--max-allowed-packet=256M", "--default-character-set=utf8mb4", database)
        return self.run("sh", "-c", script, "sh", path, *client, *options)

    def write(self, path: str, source: BinaryIO) -> None:
        """Make a file beside the programs."""
        words = ("sh", "-c", 'umask 077; cat > "$1"', "sh", path)
        code, said = self.run(*words, source=source)
        if code in _KILLED:
            raise Unavailable(f"{self.server} went away.")
        if code != 0:
            raise Unavailable(f"{self.server} has no room for the backup: {_last_line(said)}")

    def _target(self) -> tuple[str, ...]:
        login = self.login
        return (f"--host={login.host}", f"--port={login.port}", f"--user={login.user}")


def write_dump(tools: Tools, database: str, sink: BinaryIO) -> Contents:
    """Dump a database; the rows counted are those that go by."""
    counted = DumpSink(sink)
    tools.dump(cast(BinaryIO, counted), _DUMP, database)
    try:
        counted.close_dump()
    except Invalid as error:
        raise Unavailable(f"{tools.server} broke off in the middle of the dump.") from error
    return Contents(counted.lines.counts)


class Restoring:
    """One dump on its way into one instance. What fails before the swap leaves that as it was."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection]],
        tools: Tools,
        facts: Facts,
    ) -> None:
        self._connect, self._tools, self._key = connect, tools, facts["key"]
        self._files = files_of(tools.folder, self._key)
        self._file, self._extras, self._before = self._files

    def run(self, source: BinaryIO) -> None:
        """Take the dump in whole, look at it, load it beside the old one, swap."""
        try:
            # Held open, to tell a dump that is refused from a server that ended meanwhile.
            with self._connect() as witness:
                self._take_in(source, witness)
                self._fill(witness)
                has_extras = self._write_extras(self._key + NEW, self._extras)
            self._swap()
            if has_extras:
                self._load_extras()
        finally:
            self._clean_up()

    def _take_in(self, source: BinaryIO, witness: Connection) -> None:
        read = DumpSource(source)
        self._tools.write(self._file, cast(BinaryIO, read))
        said = str(run(witness, "SELECT VERSION()")[0][0])
        major, minor = said.split(".")[:2]
        read.check(self._tools.server, (int(major), int(minor)))

    def _fill(self, witness: Connection) -> None:
        drop_beside(witness, self._key)
        ensure_database(witness, self._key + NEW, self._key)
        code, said = self._tools.load(self._key + NEW, self._file)
        if code != 0:
            run(witness, "SELECT 1")
            raise Invalid(f"The backup cannot be restored: {_last_line(said)}")

    def _write_extras(self, database: str, path: str) -> bool:
        """Put aside what cannot be moved with the tables; whether there is any."""
        sink = io.BytesIO()
        with self._connect() as connection:
            views = find_tables(connection, database, "VIEW")
        dumped = DumpSink(cast(BinaryIO, sink))
        self._tools.dump(cast(BinaryIO, dumped), _EXTRAS, database)
        if views:
            options = ("--no-data", "--skip-triggers")
            self._tools.dump(cast(BinaryIO, dumped), options, database, *views)
        text = sink.getvalue() + dumped.lines.finish()
        self._tools.write(path, io.BytesIO(text))
        return b" TRIGGER" in text.upper() or b"DELIMITER" in text or bool(views)

    def _swap(self) -> None:
        had_extras = self._write_extras(self._key, self._before)
        try:
            self._move_tables()
        except BaseException:
            if had_extras:  # those that are there still are no reason to leave the others away
                with suppress(PanelError):
                    self._tools.load(self._key, self._before, "--force")
            raise

    def _move_tables(self) -> None:
        with self._connect() as connection:
            drop_extras(connection, self._key + NEW, triggers_only=True)
            run(connection, f"CREATE DATABASE IF NOT EXISTS `{self._key + OLD}`")
            wait_briefly(connection)
            # A worker that dies here leaves old tables without their triggers and views; the
            # restore done again gets through.
            for left in reversed(range(_SWAP_TRIES)):
                cut_connections(connection, self._key)
                try:
                    drop_extras(connection, self._key)
                    return swap_tables(connection, self._key)
                except pymysql.OperationalError as error:
                    if error.args[0] != ER.LOCK_WAIT_TIMEOUT or not left:
                        raise
        return None

    def _load_extras(self) -> None:
        code, said = self._tools.load(self._key, self._extras)
        if code != 0:
            raise Unavailable(
                f"The tables are restored, their triggers and views not: {_last_line(said)}"
            )

    def _clean_up(self) -> None:
        """Nothing of it stays; after a worker that died, `tidy` does it, or the next one."""
        with suppress(PanelError):
            self._tools.run("rm", "-f", *self._files)
        with suppress(pymysql.Error, PanelError), self._connect() as connection:
            drop_beside(connection, self._key)


def files_of(folder: str, key: str) -> tuple[str, str, str]:
    """The dump of an instance on its way in, its triggers and views, and those of before."""
    path = f"{folder}/{key}"
    return f"{path}.sql", f"{path}.extras.sql", f"{path}.before.sql"


def drop_beside(connection: Connection, key: str) -> None:
    """Drop the database that is being filled, and the one that was replaced."""
    for database in (key + NEW, key + OLD):
        drop_database(connection, database, key)


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given."
