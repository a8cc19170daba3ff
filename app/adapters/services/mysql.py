"""MariaDB: an account with a database of its own for each instance. Speaks to MySQL as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

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
from app.adapters.services import mysql_dumps as dumps
from app.adapters.services import mysql_sql as sql
from app.adapters.services.embedded import Embedded, Program, container_name
from app.adapters.services.exchange import hand_on, take_dump
from app.adapters.services.hosted import Hosted
from app.adapters.services.mysql_lines import is_dump
from app.adapters.services.mysql_sql import ADMINISTRATOR, PORT, Login, mysql_errors
from app.adapters.services.variables import database_facts
from app.config import Settings
from app.errors import Invalid, Unavailable

HOME = "/var/lib/mysql"
# 128 MB of buffers, 300 connections of 2-3 MB each, and its own tables (99 MB when idle).
LIMITS = Limits(memory_bytes=1536 * 2**20, cpus=2.0, pids=400)
# Making a data directory takes 2-3 s (measured); reading the log after a crash up to a minute.
_NO_DUMP = "The file is no dump of mysqldump or mariadb-dump. Bring what one of them writes."
_START_SECONDS = 120
_SET_PASSWORD_SECONDS = 20
PROGRAM = Program(
    name="MariaDB 10.11",
    recipe="mariadb-10.11",
    user="999:999",
    limits=LIMITS,
    data=HOME,
    start_seconds=_START_SECONDS,
    stop_seconds=30,
)


class MySQL(Hosted):
    """Embedded MariaDB of Debian's version, and an administrator's MariaDB or MySQL."""

    kind = ServiceKind.MYSQL
    content: Content | None = Content.DATABASE
    versions = ("10.11",)

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(Embedded(engine, settings))

    def start(self, server: Server) -> None:
        """Bring it up and give its administrator the panel's password. Raises `Unavailable`."""
        if server.is_embedded:
            answers = lambda address: self._answers(server)  # noqa: E731
            self._embedded.start(server, PROGRAM, answers, alias=_alias(server))
        else:
            with self._administrator(server):
                return

    def _program(self, server: Server) -> Program:
        return PROGRAM

    def provision(self, server: Server, order: Order) -> Facts:
        """Make account and database. Raises `Invalid` for extensions: there are none."""
        if order.extensions:
            raise Invalid("MariaDB has no extensions.")
        with self._administrator(server) as connection:
            sql.ensure_account(connection, order.key, order.password, order.connections)
            sql.ensure_database(connection, order.key, order.key)
        login = self._login(server)
        host = _alias(server) if server.is_embedded else login.host
        return database_facts(order, host, login.port)

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Bytes on disk and connections of the site."""
        with self._administrator(server) as connection:
            size, connections = sql.measure(connection, facts["key"])
        return Usage(bytes=size, connections=connections)

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Rows by table, counted now with the site's own account."""
        login = self._sites_login(server, facts)
        with mysql_errors(_name(server)), login.connect(facts["database"]) as connection:
            return Contents(sql.count_rows(connection, facts["database"]))

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """A dump as SQL, with one line behind its end by which damage is found."""
        with self._tools(server, facts) as tools:
            return dumps.write_dump(tools, facts["database"], sink)

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Replace the database by the dump's. Until that is complete the old one serves; then
        connections of the site are cut once."""
        with self._tools(server, facts) as tools:
            dumps.Restoring(lambda: self._administrator(server), tools, facts).run(source)

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        """Put triggers and views where they belong, drop the database that was being filled, and
        remove the dump it was filled from."""
        with self._administrator(server) as connection:
            # For a server elsewhere the tools are a container of their own: only if there is need.
            if facts and sql.kept_extras(connection, key):
                with self._tools(server, facts) as tools:
                    dumps.settle_extras(connection, tools, key)
            dumps.drop_beside(connection, key)
        if server.is_embedded:  # for another one the dump lay in a container that is gone
            self._embedded.remove_files(server, dumps.files_of(HOME, key))

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """SQL as mysqldump or mariadb-dump write it."""
        return take_dump(source, sink, most, is_dump, _NO_DUMP)

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        """The dump as it is."""
        hand_on(source, sink)

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Drop database and account; connections of the site are cut."""
        with self._administrator(server) as connection:
            sql.drop_instance(connection, key)

    # ---------------------------------------------------------------------------------------

    def _answers(self, server: Server) -> bool:
        try:
            with self._administrator(server):
                return True
        except (Unavailable, Invalid):
            # A new server's administrator has no account yet, or one from before a move.
            return self._set_password(server)

    def _set_password(self, server: Server) -> bool:
        command = ("mariadb", "--user=mysql", "--batch")
        script = sql.administrator_script(server.secret)
        done = self._embedded.execute(server, command, _SET_PASSWORD_SECONDS, script)
        return done.exit_code == 0

    def _login(self, server: Server) -> Login:
        if not server.is_embedded:
            return Login.from_url(server.secret)
        address = self._embedded.address(server)
        return Login(address, PORT, ADMINISTRATOR, server.secret, has_tls=False)

    def _sites_login(self, server: Server, facts: Facts) -> Login:
        return replace(self._login(server), user=facts["user"], password=facts["password"])

    @contextmanager
    def _administrator(self, server: Server) -> Iterator[sql.Connection]:
        with mysql_errors(_name(server)), self._login(server).connect() as connection:
            yield connection

    @contextmanager
    def _tools(self, server: Server, facts: Facts) -> Iterator[dumps.Tools]:
        """Where the dump programs run: inside an embedded server itself, so that they are its
        own version; for another one in a container of our version."""
        engine, login = self._embedded.engine, self._sites_login(server, facts)
        if server.is_embedded:
            inside = replace(login, host="127.0.0.1")
            yield dumps.Tools(engine, container_name(server), HOME, _name(server), inside)
            return
        with self._embedded.beside(server, PROGRAM) as container:
            yield dumps.Tools(engine, container, "/tmp", _name(server), login)  # noqa: S108


def _alias(server: Server) -> str:
    return f"mariadb-{server.version}"


def _name(server: Server) -> str:
    return f"MariaDB {server.version}"
