"""What PostgreSQL is asked as administrator: roles, databases, counts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Identifier, Literal

from app.adapters.services.server_urls import read_address
from app.errors import Invalid, Unavailable

Connection = psycopg.Connection[tuple[object, ...]]

ADMINISTRATOR = "postgres"
PORT = 5432
NEW, OLD, RESTORER = "_new", "_old", "_restore"
"""Beside an instance's database: the one that is being restored, the one it replaced; and the
role that restores."""
_CONNECT_SECONDS = 10
_SCRAM_ROUNDS = 4096  # PostgreSQL's own


@dataclass(frozen=True)
class Login:
    """How the administrator comes in. `database` is where it is at home."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "postgres"
    tls: str = "prefer"

    @classmethod
    def from_url(cls, url: str) -> Login:
        """From `postgres://user:password@host:port/database?sslmode=…`. Raises `Invalid`."""
        address = read_address(url, {"postgres": PORT, "postgresql": PORT}, "the server")
        return cls(
            address.host,
            address.port,
            address.user or ADMINISTRATOR,
            address.password,
            unquote(address.path.strip("/")) or "postgres",
            address.options.get("sslmode", "prefer"),
        )

    def connect(self, database: str | None = None) -> Connection:
        """A connection that commits each statement."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database or self.database,
            sslmode=self.tls,
            connect_timeout=_CONNECT_SECONDS,
            # A server that vanished is noticed within a minute, also in the middle of a dump.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            autocommit=True,
            application_name="moonbase",
        )


@contextmanager
def postgresql_errors(name: str) -> Iterator[None]:
    """Turn its errors into sentences. What the driver says of a connection stays inside."""
    try:
        yield
    except (errors.DiskFull, errors.OutOfMemory) as error:
        raise Unavailable(f"{name} has no room left.") from error
    except errors.InvalidCatalogName as error:
        raise Unavailable(f"{name} has no such database.") from error
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate[:2] in ("08", "53", "57"):
            raise Unavailable(f"{name} does not answer.") from error
        raise Invalid(f"{name} refused: {_said(error)}") from error
    except psycopg.Error as error:
        raise Invalid(f"{name} refused: {_said(error)}") from error


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or "no reason given")[:300]


def scram(password: str) -> str:
    """What the server keeps of a password (RFC 5803), so that it never stands in a statement."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{words[0]}${words[1]}:{words[2]}"


def administrator_script(password: str) -> io.BytesIO:
    """Gives an embedded server's administrator its password, and closes its own databases."""
    return io.BytesIO(
        f"ALTER ROLE {ADMINISTRATOR} PASSWORD '{scram(password)}';\n"
        "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;\n".encode()
    )


def ensure_role(connection: Connection, name: str, password: str, connections: int) -> None:
    """A role that may log in to what it owns, and nothing else."""
    if not _has(connection, "pg_roles", "rolname", name):
        rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        with suppress(errors.DuplicateObject):
            connection.execute(SQL(f"CREATE ROLE {{}} {rights}").format(Identifier(name)))
    statement = SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}")
    connection.execute(
        statement.format(Identifier(name), Literal(connections), Literal(scram(password)))
    )
    # Only who is of the role may give it databases; a superuser is of every role.
    if connection.info.parameter_status("is_superuser") != "on":
        connection.execute(SQL("GRANT {} TO CURRENT_USER").format(Identifier(name)))


def ensure_database(connection: Connection, name: str, owner: str) -> None:
    """A database that only its owner and the administrator may connect to."""
    words = {"name": Identifier(name), "owner": Identifier(owner)}
    state = connection.execute(
        "SELECT datconnlimit FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if state and state[0] == -2:  # a drop of it was broken off: it can only be dropped again
        drop_database(connection, name)
        state = None
    if not state:
        making = SQL("CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(making.format(**words))
    connection.execute(SQL("REVOKE ALL ON DATABASE {name} FROM PUBLIC").format(**words))


def furnish_database(connection: Connection, owner: str, extensions: Sequence[str]) -> None:
    """Rights and extensions inside a database, which `connection` is to."""
    with connection.transaction():
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(SQL("GRANT ALL ON SCHEMA public TO {}").format(Identifier(owner)))
    for extension in extensions:
        making = SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(Identifier(extension))
        connection.execute(making)


def refuse_missing_extensions(
    connection: Connection, extensions: Sequence[str], server: str
) -> None:
    """Raises `Invalid` with the first one that the server does not have."""
    rows = connection.execute("SELECT name FROM pg_available_extensions").fetchall()
    known = {row[0] for row in rows}
    for extension in extensions:
        if extension not in known:
            raise Invalid(f"{server} has no extension “{extension}” here.")


def measure(connection: Connection, key: str) -> tuple[int, int]:
    """Bytes of the database, and connections to it that are not the administrator's."""
    found = connection.execute(
        "SELECT pg_database_size(%(key)s::name), (SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = %(key)s AND usename = %(key)s)",
        {"key": key},
    ).fetchall()
    return _number(found[0][0]), _number(found[0][1])


def count_rows(connection: Connection) -> dict[str, int]:
    """Rows by table; those of extensions are left out, tables in `public` have its name not.

    The tables are the site's and we are the administrator: one that becomes a view meanwhile must
    not have its functions run by us.
    """
    # Older than 15.8: it cannot be said there.
    with suppress(errors.UndefinedObject), connection.transaction():
        connection.execute("SET restrict_nonsystem_relation_kind = 'view, foreign-table'")
    tables = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
        " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
        " AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1, 2"
    ).fetchall()
    found = {}
    for schema, table in ((str(row[0]), str(row[1])) for row in tables):
        place = Identifier(schema, table)
        counted = connection.execute(SQL("SELECT count(*) FROM ONLY {}").format(place)).fetchall()
        found[table if schema == "public" else f"{schema}.{table}"] = _number(counted[0][0])
    return found


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database with whoever is connected; silent when it is gone."""
    dropping = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
    connection.execute(dropping)


def drop_role(connection: Connection, name: str) -> None:
    """Drop a role whose database is gone; silent when it is gone itself."""
    if not _has(connection, "pg_roles", "rolname", name):
        return
    # On an administrator's server it may have left something in another database of theirs.
    with suppress(errors.InsufficientPrivilege):
        connection.execute(SQL("DROP OWNED BY {}").format(Identifier(name)))
    connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(name)))


def drop_instance(connection: Connection, key: str) -> None:
    """Drop everything that carries the key; silent when it is gone."""
    if _has(connection, "pg_roles", "rolname", key):
        connection.execute(SQL("ALTER ROLE {} NOLOGIN").format(Identifier(key)))
    for database in (key, key + NEW, key + OLD):
        drop_database(connection, database)
    for role in (key + RESTORER, key):
        drop_role(connection, role)


def swap_databases(connection: Connection, key: str) -> None:
    """Put `key_new` in the place of `key`, in one transaction; connections to both are cut.

    Raises `ObjectInUse` when somebody was faster to connect again.
    """
    words = {"key": Identifier(key), "new": Identifier(key + NEW), "old": Identifier(key + OLD)}
    cut = SQL(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname IN ({key}, {new}) AND pid <> pg_backend_pid()"
    ).format(key=Literal(key), new=Literal(key + NEW))
    with connection.transaction():
        # The rename locks the database against new sessions and waits 5 s for those that end.
        connection.execute(cut)
        connection.execute(SQL("ALTER DATABASE {key} RENAME TO {old}").format(**words))
        connection.execute(SQL("ALTER DATABASE {new} RENAME TO {key}").format(**words))


def _number(value: object) -> int:
    return int(str(value))


def _has(connection: Connection, table: str, column: str, name: str) -> bool:
    asking = SQL("SELECT 1 FROM {} WHERE {} = %s").format(Identifier(table), Identifier(column))
    return connection.execute(asking, [name]).fetchone() is not None
