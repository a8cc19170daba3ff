"""Dumps of a MariaDB database, and putting one in the place of what is there.

MariaDB cannot rename a database. The tables of the restored one are put in the place of the old
ones by one statement, which happens as a whole or not at all; triggers, views, routines and events
cannot be moved, and are made anew right after it. Until then they are kept in the server.
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
    Extras,
    Login,
    are_swapped,
    cut_connections,
    drop_database,
    drop_extras,
    end_swap,
    ensure_database,
    find_tables,
    forget_extras,
    keep_extras,
    kept_extras,
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

    def run(self, source: BinaryIO) -> None:
        """Take the dump in whole, look at it, load it beside the old one, swap."""
        try:
            # Held open, to tell a dump that is refused from a server that ended meanwhile.
            with self._connect() as witness:
                settle_extras(witness, self._tools, self._key)  # of one that was cut off
                self._take_in(source, witness)
                self._fill(witness)
            self._swap()
        finally:
            self._clean_up()

    def _take_in(self, source: BinaryIO, witness: Connection) -> None:
        read = DumpSource(source)
        self._tools.write(self._files[0], cast(BinaryIO, read))
        said = str(run(witness, "SELECT VERSION()")[0][0])
        major, minor = said.split(".")[:2]
        read.check(self._tools.server, (int(major), int(minor)))

    def _fill(self, witness: Connection) -> None:
        drop_beside(witness, self._key)
        ensure_database(witness, self._key + NEW, self._key)
        code, said = self._tools.load(self._key + NEW, self._files[0])
        if code != 0:
            run(witness, "SELECT 1")
            raise Invalid(f"The backup cannot be restored: {_last_line(said)}")

    def _swap(self) -> None:
        with self._connect() as connection:
            extras = Extras(
                before=self._dump_extras(connection, self._key),
                after=self._dump_extras(connection, self._key + NEW),
                has_tables=bool(find_tables(connection, self._key + NEW)),
            )
            keep_extras(connection, self._key, extras)
            try:
                self._move_tables(connection)
            except BaseException:
                with suppress(pymysql.Error, PanelError):
                    settle_extras(connection, self._tools, self._key)
                raise
            settle_extras(connection, self._tools, self._key, is_new=True)

    def _dump_extras(self, connection: Connection, database: str) -> bytes:
        """What cannot be moved with the tables; nothing if there is none."""
        sink = io.BytesIO()
        views = find_tables(connection, database, "VIEW")
        dumped = DumpSink(cast(BinaryIO, sink))
        self._tools.dump(cast(BinaryIO, dumped), _EXTRAS, database)
        if views:
            options = ("--no-data", "--skip-triggers")
            self._tools.dump(cast(BinaryIO, dumped), options, database, *views)
        text = sink.getvalue() + dumped.lines.finish()
        has_any = b" TRIGGER" in text.upper() or b"DELIMITER" in text or bool(views)
        return text if has_any else b""

    def _move_tables(self, connection: Connection) -> None:
        drop_extras(connection, self._key + NEW, triggers_only=True)
        run(connection, f"CREATE DATABASE IF NOT EXISTS `{self._key + OLD}`")
        wait_briefly(connection)
        for left in reversed(range(_SWAP_TRIES)):
            cut_connections(connection, self._key)
            try:
                drop_extras(connection, self._key)
                return swap_tables(connection, self._key)
            except pymysql.OperationalError as error:
                if error.args[0] != ER.LOCK_WAIT_TIMEOUT or not left:
                    raise
        return None

    def _clean_up(self) -> None:
        """Nothing of it stays; after a worker that died, `tidy` does it, or the next one. What
        could not be settled is: by the databases beside it is seen what there is to settle."""
        with suppress(PanelError):
            self._tools.run("rm", "-f", *self._files)
        with suppress(pymysql.Error, PanelError), self._connect() as connection:
            if kept_extras(connection, self._key) is None:
                drop_beside(connection, self._key)


def settle_extras(connection: Connection, tools: Tools, key: str, *, is_new: bool = False) -> None:
    """Give the tables of an instance the triggers, views, routines and events that belong to them:
    those of the restored ones when they were swapped, otherwise those of before. Silent when none
    are kept.

    `is_new`: the tables came just now; raises `Unavailable` when the server refuses some. In what
    was cut off some may be there already, and the site may have made others since: they stay.
    Raises pymysql's errors when the server is away; then all are kept.
    """
    extras = kept_extras(connection, key)
    if extras is None:
        return
    end_swap(connection, key)
    text = extras.after if are_swapped(connection, key, extras) else extras.before
    code: int | None = 0
    said = ""
    if text:
        path = files_of(tools.folder, key)[1]
        tools.write(path, io.BytesIO(text))
        code, said = tools.load(key, path, *(() if is_new else ("--force",)))
        run(connection, "SELECT 1")
    forget_extras(connection, key)
    if code != 0 and is_new:
        raise Unavailable(
            f"The tables are restored, their triggers and views not: {_last_line(said)}"
        )


def files_of(folder: str, key: str) -> tuple[str, str]:
    """The dump of an instance on its way in, and triggers and views."""
    path = f"{folder}/{key}"
    return f"{path}.sql", f"{path}.extras.sql"


def drop_beside(connection: Connection, key: str) -> None:
    """Drop the database that is being filled, and the one that was replaced."""
    for database in (key + NEW, key + OLD):
        drop_database(connection, database, key)


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given."
