"""PostgreSQL: a role with a database of its own for each instance, on servers of two versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import psycopg

from app.adapters.engine import Engine, Limits
from app.adapters.services import (
    Content,
    Contents,
    Facts,
    Order,
    Server,
    ServiceKind,
    Usage,
)
from app.adapters.services import postgresql_dumps as dumps
from app.adapters.services import postgresql_sql as sql
from app.adapters.services.embedded import Embedded, Program, container_name
from app.adapters.services.exchange import hand_on, take_dump
from app.adapters.services.hosted import Hosted
from app.adapters.services.postgresql_sql import ADMINISTRATOR, PORT, Login, postgresql_errors
from app.adapters.services.variables import database_facts
from app.config import Settings
from app.errors import Invalid, Unavailable

VERSIONS = ("15", "18")
"""15 is Debian's, with every extension of its own; 18 is for those who upgrade (L5981)."""
HOME = "/var/lib/postgresql"
# 128 MB of shared buffers, 300 connections of 2-3 MB each, and what sorts and dumps take.
LIMITS = Limits(memory_bytes=1536 * 2**20, cpus=2.0, pids=400)
# Making a data directory takes 3 s (measured); going through the log after a crash up to a minute.
_START_SECONDS = 120
_SET_PASSWORD_SECONDS = 20


class PostgreSQL(Hosted):
    """Embedded servers of `VERSIONS`, and an administrator's of whatever version."""

    kind = ServiceKind.POSTGRESQL
    content: Content | None = Content.DATABASE
    versions = VERSIONS

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(Embedded(engine, settings))
        words = settings.postgresql_extensions.split(",")
        self._allowed = frozenset(word.strip() for word in words)

    def start(self, server: Server) -> None:
        """Bring it up and give its administrator the panel's password. Raises `Unavailable`."""
        if server.is_embedded:
            program = program_of(server)
            self._embedded.start(
                server, program, lambda address: self._answers(server), alias=_alias(server)
            )
        else:
            with self._administrator(server):
                return

    def _program(self, server: Server) -> Program:
        return program_of(server)

    def provision(self, server: Server, order: Order) -> Facts:
        """Make role and database. Raises `Invalid` for an extension that is not to be had."""
        if foreign := sorted(set(order.extensions) - self._allowed):
            raise Invalid(f"The extension “{foreign[0]}” may not be used here.")
        with self._administrator(server) as connection:
            sql.refuse_missing_extensions(connection, order.extensions, _name(server))
            sql.ensure_role(connection, order.key, order.password, order.connections)
            sql.ensure_database(connection, order.key, order.key)
        with self._administrator(server, order.key) as connection:
            sql.furnish_database(connection, order.key, order.extensions)
        login = self._login(server)
        host = _alias(server) if server.is_embedded else login.host
        return database_facts(order, host, login.port)

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Bytes on disk and connections of the site."""
        with self._administrator(server) as connection:
            size, connections = sql.measure(connection, facts["key"])
        return Usage(bytes=size, connections=connections)

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Rows by table, counted now."""
        with self._administrator(server, facts["key"]) as connection:
            return Contents(sql.count_rows(connection))

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """A dump of the custom format; rows are counted in the state that is dumped."""
        with self._administrator(server, facts["key"]) as connection, self._tools(server) as tools:
            return dumps.write_dump(connection, tools, facts["key"], sink)

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Replace the database by the dump's. Until that is complete the old one serves; then
        connections of the site are cut once."""
        with self._administrator(server) as connection, self._tools(server) as tools:
            restoring = dumps.Restoring(
                connection,
                lambda name, *who: self._connected(server, name, *who),
                tools,
                facts["key"],
                self._allowed,
            )
            restoring.run(source)

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        """Drop the database that was being filled, and remove the dump it was filled from."""
        with self._administrator(server) as connection:
            dumps.drop_beside(connection, key)
        if server.is_embedded:  # for another one the dump lay in a container that is gone
            self._embedded.remove_files(server, dumps.files_of(HOME, key))

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """What pg_dump writes: its custom format, or SQL."""
        return take_dump(source, sink, most, dumps.is_dump, dumps.NO_DUMP)

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        """The dump as it is."""
        hand_on(source, sink)

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Drop database and role; connections of the site are cut."""
        with self._administrator(server) as connection:
            sql.drop_instance(connection, key)

    # ---------------------------------------------------------------------------------------

    def _answers(self, server: Server) -> bool:
        try:
            with self._administrator(server):
                return True
        except Unavailable:
            # A new server's administrator has no password yet, or one from before a move.
            return self._set_password(server)

    def _set_password(self, server: Server) -> bool:
        command = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres")
        script = sql.administrator_script(server.secret)
        done = self._embedded.execute(server, command, _SET_PASSWORD_SECONDS, script)
        return done.exit_code == 0

    def _login(self, server: Server) -> Login:
        if not server.is_embedded:
            return Login.from_url(server.secret)
        return Login(self._embedded.address(server), PORT, ADMINISTRATOR, server.secret)

    @contextmanager
    def _administrator(
        self, server: Server, database: str | None = None
    ) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection as administrator that commits each statement, to the database in which it
        is at home or to an instance's."""
        with self._connected(server, database) as connection:
            yield connection

    @contextmanager
    def _connected(
        self, server: Server, database: str | None, user: str = "", password: str = ""
    ) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """The same for another role than the administrator, if one is named."""
        login = self._login(server)
        if user:
            login = replace(login, user=user, password=password)
        with postgresql_errors(_name(server)), login.connect(database) as connection:
            yield connection

    @contextmanager
    def _tools(self, server: Server) -> Iterator[dumps.Tools]:
        """Where pg_dump and pg_restore run: inside an embedded server itself, so that it is its
        own version; for another one in a container of the next version we have."""
        if server.is_embedded:
            yield dumps.Tools(self._embedded.engine, container_name(server), HOME, _name(server))
            return
        login = self._login(server)
        with self._embedded.beside(server, program_of(server)) as container:
            yield dumps.Tools(self._embedded.engine, container, "/tmp", _name(server), login)  # noqa: S108


def program_of(server: Server) -> Program:
    """How its version runs; for an administrator's the oldest of ours that is not older."""
    major = int(server.version.partition(".")[0] or 0)
    fitting = [v for v in sorted(VERSIONS, key=int) if int(v) >= major]
    if not fitting:
        raise Unavailable(f"There are no tools for PostgreSQL {server.version} here.", retry=False)
    return Program(
        name=f"PostgreSQL {fitting[0]}",
        recipe=f"postgresql-{fitting[0]}",
        user="999:999",
        limits=LIMITS,
        data=HOME,
        start_seconds=_START_SECONDS,
        stop_seconds=30,
    )


def _alias(server: Server) -> str:
    return f"postgresql-{server.version}"


def _name(server: Server) -> str:
    return f"PostgreSQL {server.version}"
