"""What sites do with the databases they were given."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from app.adapters.services import Facts

TABLE = 'Naïve "Tàble" ☃'
"""A name as sites may choose one."""


def facts_of_url(url: str) -> Facts:
    """The parts of a URL, unquoted."""
    parts = urlsplit(url)
    return {
        "scheme": parts.scheme,
        "host": parts.hostname or "",
        "port": str(parts.port),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.strip("/")),
    }


class PostgreSQLGuest:
    """A site with psycopg."""

    def connect(
        self, facts: Facts, database: str | None = None
    ) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=facts["host"],
            port=int(facts["port"]),
            user=facts["user"],
            password=facts["password"],
            dbname=database or facts["database"],
            connect_timeout=10,
        )

    def fill(self, facts: Facts, rows: int) -> None:
        name = '"' + TABLE.replace('"', '""') + '"'
        with self.connect(facts) as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {name} (id serial PRIMARY KEY, text text, raw bytea)"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS empty (id int)")
            connection.execute(
                f"INSERT INTO {name} (text, raw) SELECT 'naïve ☃ ' || n, sha256(n::text::bytea)"
                " FROM generate_series(1, %s) n",
                [rows],
            )

    def read(self, facts: Facts) -> object:
        name = '"' + TABLE.replace('"', '""') + '"'
        with self.connect(facts) as connection:
            return connection.execute(f"SELECT * FROM {name} ORDER BY id").fetchall()

    def may_enter(self, mine: Facts, others: Facts) -> bool:
        for database in (others["database"], "postgres", "template1"):
            with suppress(psycopg.OperationalError), self.connect(mine, database):
                return True
        return False

    def facts_of(self, variables: Mapping[str, str], prefix: str) -> Facts:
        return facts_of_url(variables[f"{prefix}_DATABASE_DSN"])


class MariaDBGuest:
    """A site with PyMySQL."""

    def connect(
        self, facts: Facts, database: str | None = None
    ) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            host=facts["host"],
            port=int(facts["port"]),
            user=facts["user"],
            password=facts["password"],
            database=database or facts["database"],
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            ssl_disabled=True,  # the server has none, and making ready for it takes 26 ms
        )

    def run(self, facts: Facts, *statements: str) -> list[tuple[object, ...]]:
        """One after the other in a session; the rows of the last."""
        connection = self.connect(facts)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    def fill(self, facts: Facts, rows: int) -> None:
        with self.connect(facts) as connection, connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS `{TABLE}`"
                " (id int AUTO_INCREMENT PRIMARY KEY, text text, raw blob)"
            )
            cursor.execute("CREATE TABLE IF NOT EXISTS empty (id int)")
            cursor.executemany(
                f"INSERT INTO `{TABLE}` (text, raw) VALUES (%s, %s)",
                [(f"naïve ☃ {n}", bytes(range(n % 256))) for n in range(rows)],
            )

    def read(self, facts: Facts) -> object:
        with self.connect(facts) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{TABLE}` ORDER BY id")
            return cursor.fetchall()

    def may_enter(self, mine: Facts, others: Facts) -> bool:
        for database in (others["database"], "mysql"):
            with suppress(pymysql.err.OperationalError), self.connect(mine, database):
                return True
        return False

    def facts_of(self, variables: Mapping[str, str], prefix: str) -> Facts:
        return facts_of_url(variables[f"{prefix}_DATABASE_DSN"])
