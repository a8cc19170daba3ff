"""What MariaDB or MySQL is asked as administrator: accounts, databases, counts."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import pymysql
from pymysql.constants import CR, ER
from pymysql.converters import escape_string
from pymysql.cursors import Cursor

from app.adapters.services.server_urls import read_address
from app.errors import Invalid, Unavailable

Connection: TypeAlias = "pymysql.Connection[Cursor]"

ADMINISTRATOR = "moonbase"
PORT = 3306
NEW, OLD, KEPT = "_new", "_old", "_kept"
"""Beside an instance's database: the one that is being restored, the one it replaced, and what a
restore that is cut off must not lose."""
_CONNECT_SECONDS = 10
_READ_SECONDS = 3600
_LOCK_SECONDS = 10
_AWAY = (
    CR.CR_CONN_HOST_ERROR,
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    ER.CON_COUNT_ERROR,
    ER.SERVER_SHUTDOWN,
)
_LOCKED_OUT = (ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, 1698)  # … without a password
_FULL = (ER.DISK_FULL, ER.RECORD_FILE_FULL, ER.OUTOFMEMORY)
ALL_CONNECTIONS = 1226  # ER_USER_LIMIT_REACHED


@dataclass(frozen=True)
class Login:
    """How somebody comes in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    has_tls: bool = True
    """Whether the server may have it: making ready for it takes 26 ms, in vain where it has not."""

    @classmethod
    def from_url(cls, url: str) -> Login:
        """From `mysql://user:password@host:port`. Raises `Invalid`."""
        address = read_address(url, {"mysql": PORT, "mariadb": PORT}, "the server")
        return cls(address.host, address.port, address.user or "root", address.password)

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[Connection]:
        """A connection that commits each statement."""
        connection = pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            ssl_disabled=not self.has_tls,
        )
        try:
            yield connection
        finally:
            with suppress(pymysql.Error, OSError):
                connection.close()


@contextmanager
def mysql_errors(name: str) -> Iterator[None]:
    """Turn its errors into sentences; statements, which hold passwords, are never repeated."""
    try:
        yield
    except pymysql.Error as error:
        code = error.args[0] if error.args else 0
        if code in _FULL:
            raise Unavailable(f"{name} has no room left.") from error
        if code == ER.BAD_DB_ERROR:
            raise Unavailable(f"{name} has no such database.") from error
        if code in _LOCKED_OUT:
            raise Unavailable(f"{name} does not let the account in.") from error
        if code == ER.LOCK_WAIT_TIMEOUT:
            sentence = f"{name} waited too long for a session that holds a table. Try again."
            raise Unavailable(sentence) from error
        if code == ALL_CONNECTIONS:
            raise Unavailable("The site uses all connections to its database.") from error
        if code in _AWAY or isinstance(error, pymysql.InterfaceError):
            raise Unavailable(f"{name} does not answer.") from error
        said = "" if code == ER.PARSE_ERROR or len(error.args) < 2 else f": {error.args[1]}"[:300]
        raise Invalid(f"{name} refused (error {code}){said}") from error


def administrator_script(password: str) -> io.BytesIO:
    """Gives an embedded server's administrator its password; `root` stays behind the socket."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    digest = "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()
    who = f"'{ADMINISTRATOR}'@'%'"
    return io.BytesIO(
        f"CREATE USER IF NOT EXISTS {who};\n"
        f"ALTER USER {who} IDENTIFIED BY PASSWORD '{digest}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {who} WITH GRANT OPTION;\n".encode()
    )


def quoted(name: str) -> str:
    """A name for a statement."""
    return "`" + name.replace("`", "``") + "`"


def pattern(name: str) -> str:
    """A database for GRANT, where `_` and `%` would stand for any character: unescaped, the right
    to `env_b` is one to `envZb` as well."""
    return quoted(name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))


def account(name: str) -> str:
    """An account for a statement, from whatever address."""
    return f"'{escape_string(name)}'@'%'"


def run(connection: Connection, statement: str, *values: object) -> list[tuple[object, ...]]:
    """All rows of the answer."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return [tuple(row) for row in cursor.fetchall()]


def ensure_account(connection: Connection, name: str, password: str, connections: int) -> None:
    """An account that may do nothing yet."""
    run(connection, f"CREATE USER IF NOT EXISTS {account(name)}")
    limit = f"WITH MAX_USER_CONNECTIONS {int(connections)}"
    secret = connection.escape(password)
    run(connection, f"ALTER USER {account(name)} IDENTIFIED BY {secret} {limit}")


def ensure_database(connection: Connection, name: str, owner: str) -> None:
    """A database in which one account may do everything."""
    making = f"CREATE DATABASE IF NOT EXISTS {quoted(name)}"
    run(connection, f"{making} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    run(connection, f"GRANT ALL PRIVILEGES ON {pattern(name)}.* TO {account(owner)}")


def drop_database(connection: Connection, name: str, owner: str) -> None:
    """Drop a database with the rights to it; silent when it is gone."""
    run(connection, f"DROP DATABASE IF EXISTS {quoted(name)}")
    with suppress(pymysql.Error):  # there is no such grant, or no such account
        run(connection, f"REVOKE ALL PRIVILEGES ON {pattern(name)}.* FROM {account(owner)}")


def drop_instance(connection: Connection, key: str) -> None:
    """Drop everything that carries the key; silent when it is gone."""
    run(connection, f"DROP USER IF EXISTS {account(key)}")
    cut_connections(connection, key)
    for database in (key, key + NEW, key + OLD, key + KEPT):
        run(connection, f"DROP DATABASE IF EXISTS {quoted(database)}")


def cut_connections(connection: Connection, user: str) -> None:
    """End all sessions of an account."""
    asking = "SELECT id FROM information_schema.processlist WHERE user = %s"
    for row in run(connection, asking, user):
        with suppress(pymysql.Error):  # it went by itself
            run(connection, f"KILL {int(str(row[0]))}")


def measure(connection: Connection, key: str) -> tuple[int, int]:
    """Bytes of its tables' files, and connections of its account."""
    like = key.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + "/%"
    files = "SELECT COALESCE(SUM(FILE_SIZE), 0) FROM information_schema.INNODB_SYS_TABLESPACES"
    tables = "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
    try:
        size = run(connection, f"{files} WHERE NAME LIKE %s", like)
    except pymysql.Error:  # MySQL knows no such table; this is an estimate
        size = run(connection, f"{tables} WHERE table_schema = %s", key)
    sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s"
    return int(str(size[0][0])), int(str(run(connection, sessions, key)[0][0]))


def find_tables(connection: Connection, database: str, kind: str = "BASE TABLE") -> list[str]:
    """Names of its tables, or of its views, in order."""
    rows = run(
        connection,
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = %s AND table_type = %s ORDER BY table_name",
        database,
        kind,
    )
    return [str(row[0]) for row in rows]


def count_rows(connection: Connection, database: str) -> dict[str, int]:
    """Rows by table, all in one state. `connection` is the site's own account: a table that
    becomes a view meanwhile runs its functions with no more than the site's rights."""
    run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    found = {}
    for table in find_tables(connection, database):
        place = f"{quoted(database)}.{quoted(table)}"
        found[table] = int(str(run(connection, f"SELECT COUNT(*) FROM {place}")[0][0]))  # noqa: S608
    run(connection, "COMMIT")
    return found


def wait_briefly(connection: Connection) -> None:
    """Have each statement that follows wait seconds, not a day, for transactions of others."""
    run(connection, f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")


def swap_tables(connection: Connection, key: str) -> None:
    """Put all tables of `key_new` in the place of those of `key`, in one statement; triggers of
    both must be gone. Waits for open transactions of sessions that were not cut."""
    moves = [(key, key + OLD, table) for table in find_tables(connection, key)]
    moves += [(key + NEW, key, table) for table in find_tables(connection, key + NEW)]
    if moves:
        words = ", ".join(
            f"{quoted(old)}.{quoted(table)} TO {quoted(new)}.{quoted(table)}"
            for old, new, table in moves
        )
        run(connection, f"RENAME TABLE {words}")


def drop_extras(connection: Connection, database: str, triggers_only: bool = False) -> None:
    """Drop what belongs to a database beside its tables: it cannot be moved with them."""
    place = quoted(database)
    named = [
        (
            "TRIGGER",
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s",
        )
    ]
    if not triggers_only:
        routines = "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s"
        named += [
            ("VIEW", "SELECT table_name FROM information_schema.views WHERE table_schema = %s"),
            ("EVENT", "SELECT event_name FROM information_schema.events WHERE event_schema = %s"),
            ("PROCEDURE", f"{routines} AND routine_type = 'PROCEDURE'"),
            ("FUNCTION", f"{routines} AND routine_type = 'FUNCTION'"),
        ]
    for kind, asking in named:
        for row in run(connection, asking, database):
            run(connection, f"DROP {kind} IF EXISTS {place}.{quoted(str(row[0]))}")


@dataclass(frozen=True)
class Extras:
    """What is taken off tables before they are swapped, as SQL: of those that are there, and of
    those that come; and whether any come."""

    before: bytes
    after: bytes
    has_tables: bool


def keep_extras(connection: Connection, key: str, extras: Extras) -> None:
    """Write them down in the server itself, where whoever comes after a restore that was cut off
    finds them."""
    place = quoted(key + KEPT)
    forget_extras(connection, key)
    run(connection, f"CREATE DATABASE {place}")
    columns = "of_before LONGBLOB, of_after LONGBLOB, has_tables BOOL"
    run(connection, f"CREATE TABLE {place}.extras ({columns})")
    values = (extras.before, extras.after, extras.has_tables)
    storing = f"INSERT INTO {place}.extras VALUES (_binary %s, _binary %s, %s)"  # noqa: S608
    run(connection, storing, *values)


def kept_extras(connection: Connection, key: str) -> Extras | None:
    """Those that `forget_extras` has not been called for."""
    if "extras" not in find_tables(connection, key + KEPT):
        return None
    rows = run(connection, f"SELECT * FROM {quoted(key + KEPT)}.extras")  # noqa: S608
    if not rows:
        return None
    before, after, has_tables = cast(tuple[bytes, bytes, int], rows[0])
    return Extras(before, after, bool(has_tables))


def forget_extras(connection: Connection, key: str) -> None:
    """They are where they belong; silent when there are none."""
    run(connection, f"DROP DATABASE IF EXISTS {quoted(key + KEPT)}")


def end_swap(connection: Connection, key: str) -> None:
    """End a swap whose worker is gone: the server would go on with it, when nobody holds the
    tables any more."""
    asking = "SELECT id FROM information_schema.processlist WHERE info LIKE %s"
    like = f"RENAME TABLE%`{key}{OLD}`%".replace("_", "\\_")
    for _ in range(_LOCK_SECONDS * 10):
        rows = run(connection, asking, like)
        if not rows:
            return
        for row in rows:
            with suppress(pymysql.Error):  # it went by itself
                run(connection, f"KILL {int(str(row[0]))}")
        time.sleep(0.1)


def are_swapped(connection: Connection, key: str, extras: Extras) -> bool:
    """Whether `swap_tables` has happened, which moves tables out of one place and out of another
    at once."""
    has_come = extras.has_tables and not find_tables(connection, key + NEW)
    return has_come or bool(find_tables(connection, key + OLD))
