"""What only PostgreSQL has: extensions, versions, roles; and what crashes may leave of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest

from app.adapters.services import Facts, Server, ServiceKind
from app.adapters.services.postgresql import HOME
from app.adapters.services.postgresql_dumps import files_of
from app.errors import Invalid, PanelError, Unavailable
from tests.contracts.service_fixtures import Kind, Place, ServiceCase, cleaned, running_case
from tests.contracts.service_guests import PostgreSQLGuest

_KINDS = {v: Kind(ServiceKind.POSTGRESQL, v, PostgreSQLGuest()) for v in ("15", "18")}


@pytest.fixture
def fifteen(services_place: Place, servers: dict[str, Server]) -> Iterator[ServiceCase]:
    """The server of version 15 that the run shares."""
    yield from cleaned(running_case(services_place, servers, _KINDS["15"]))


@pytest.fixture
def eighteen(services_place: Place, servers: dict[str, Server]) -> Iterator[ServiceCase]:
    """The one of version 18."""
    yield from cleaned(running_case(services_place, servers, _KINDS["18"]))


def _sql(case: ServiceCase, facts: Facts, *statements: str) -> list[tuple[object, ...]]:
    with PostgreSQLGuest().connect(case.reached(facts)) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _databases(case: ServiceCase, facts: Facts) -> set[str]:
    key = facts["key"]
    rows = _sql(case, facts, f"SELECT datname FROM pg_database WHERE datname LIKE '{key}%'")
    rows += _sql(case, facts, f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{key}%'")
    return {str(row[0]) for row in rows}


def test_extensions_are_there(fifteen: ServiceCase) -> None:
    wanted = ("hstore", "unaccent", "pg_trgm", "citext", "uuid-ossp", "pgcrypto")
    facts = fifteen.provision(extensions=wanted)
    found = {row[0] for row in _sql(fifteen, facts, "SELECT extname FROM pg_extension")}
    assert found == {*wanted, "plpgsql"}


def test_an_extension_that_is_missing_or_forbidden_is_named(
    fifteen: ServiceCase, eighteen: ServiceCase
) -> None:
    with pytest.raises(Invalid, match="PostgreSQL 15 has no extension “postgis”"):
        fifteen.provision(extensions=("hstore", "postgis"))
    with pytest.raises(Invalid, match="PostgreSQL 18 has no extension “pgcrypto”"):
        eighteen.provision(extensions=("pgcrypto",))
    with pytest.raises(Invalid, match="“dblink” may not be used"):
        fifteen.provision(extensions=("dblink",))


def test_a_role_may_do_nothing_but_its_own(fifteen: ServiceCase) -> None:
    mine = fifteen.provision()
    for statement in (
        "CREATE ROLE other",
        "CREATE DATABASE other",
        "CREATE EXTENSION dblink",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "SELECT rolpassword FROM pg_authid",
    ):
        with pytest.raises(psycopg.Error):
            _sql(fifteen, mine, statement)


def test_connections_are_limited(fifteen: ServiceCase) -> None:
    facts = fifteen.provision(connections=3)
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(PostgreSQLGuest().connect(fifteen.reached(facts)))
        assert fifteen.backend.usage(fifteen.server, facts).connections == 3
        with pytest.raises(psycopg.OperationalError):
            PostgreSQLGuest().connect(fifteen.reached(facts))
        # The panel still gets in, and a restore cuts them all.
        sink = io.BytesIO()
        fifteen.backend.backup(fifteen.server, facts, sink)
        fifteen.backend.restore(fifteen.server, facts, io.BytesIO(sink.getvalue()))


def test_a_site_moves_to_the_next_version_and_not_back(
    fifteen: ServiceCase, eighteen: ServiceCase
) -> None:
    old, new = fifteen.provision(rows=30, extensions=("hstore",)), eighteen.provision()
    _sql(fifteen, old, "CREATE TABLE h (v hstore)", "INSERT INTO h VALUES ('a=>1')")
    dump = io.BytesIO()
    held = fifteen.backend.backup(fifteen.server, old, dump)
    eighteen.backend.restore(eighteen.server, new, io.BytesIO(dump.getvalue()))
    assert eighteen.backend.contents(eighteen.server, new) == held
    assert eighteen.read(new) == fifteen.read(old)
    newer = io.BytesIO()
    eighteen.backend.backup(eighteen.server, new, newer)
    with pytest.raises(Invalid, match="newer"):
        fifteen.backend.restore(fifteen.server, old, io.BytesIO(newer.getvalue()))
    assert fifteen.read(old) == eighteen.read(new)


def test_everything_a_site_makes_comes_back_as_its_own(fifteen: ServiceCase) -> None:
    source = fifteen.provision(rows=3, extensions=("citext",))
    _sql(
        fifteen,
        source,
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (id serial PRIMARY KEY, name citext UNIQUE)",
        "INSERT INTO other.t (name) VALUES ('Ä'), ('b')",
        "CREATE VIEW v AS SELECT * FROM other.t",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM other.t WITH NO DATA",
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 42'",
        "CREATE TABLE parts (id int, m mood) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
        "INSERT INTO parts VALUES (1, 'good')",
        "SELECT lo_from_bytea(0, 'large')",
    )
    target, dump = fifteen.provision(rows=9), io.BytesIO()
    held = fifteen.backend.backup(fifteen.server, source, dump)
    assert held.counts["other.t"] == 2
    assert held.counts["parts_1"] == 1
    fifteen.backend.restore(fifteen.server, target, io.BytesIO(dump.getvalue()))
    assert fifteen.backend.contents(fifteen.server, target) == held
    owners = _sql(
        fifteen,
        target,
        "SELECT DISTINCT relowner::regrole::text FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = relnamespace WHERE nspname IN ('public', 'other') UNION"
        " SELECT lomowner::regrole::text FROM pg_largeobject_metadata",
    )
    assert owners == [(target["user"],)]
    _sql(fifteen, target, "DROP SCHEMA other CASCADE", "CREATE OR REPLACE VIEW w AS SELECT f()")
    assert _databases(fifteen, target) == {target["key"]}


def test_a_dump_may_not_do_more_than_its_site(fifteen: ServiceCase) -> None:
    """Whoever restores a dump runs its SQL; the administrator would run programs for it."""
    facts, dump = fifteen.provision(rows=3), io.BytesIO()
    check = "CREATE FUNCTION whoami() RETURNS text LANGUAGE sql AS 'SELECT session_user::text'"
    _sql(fifteen, facts, check, "CREATE TABLE who (name text DEFAULT whoami())")
    _sql(fifteen, facts, "CREATE MATERIALIZED VIEW seen AS SELECT whoami() AS name")
    fifteen.backend.backup(fifteen.server, facts, dump)
    fifteen.backend.restore(fifteen.server, facts, io.BytesIO(dump.getvalue()))
    assert _sql(fifteen, facts, "SELECT name FROM seen") == [(facts["key"] + "_restore",)]


def test_a_list_that_finds_no_room_restores_nothing(fifteen: ServiceCase) -> None:
    """A part of it would be a part of the data."""
    facts, sink = fifteen.provision(rows=20), io.BytesIO()
    fifteen.backend.backup(fifteen.server, facts, sink)
    fifteen.fill(facts, 3)
    before = fifteen.read(facts)
    _, listed = files_of(HOME, facts["key"])
    engine = fifteen.place.engine
    engine.execute(fifteen.container, ("ln", "-s", "/dev/full", listed), {}, 20)
    with pytest.raises(Unavailable, match=r"no room for the backup: .*No space left"):
        fifteen.backend.restore(fifteen.server, facts, io.BytesIO(sink.getvalue()))
    assert fifteen.read(facts) == before
    assert engine.execute(fifteen.container, ("test", "-L", listed), {}, 20).exit_code == 1
    fifteen.backend.restore(fifteen.server, facts, io.BytesIO(sink.getvalue()))
    assert fifteen.read(facts) != before


def test_an_administrators_server_is_used_by_its_url(fifteen: ServiceCase) -> None:
    address = fifteen.reached({})["host"]
    url = f"postgres://postgres:{fifteen.server.secret}@{address}:5432/postgres"
    by_url = replace(fifteen.server, is_embedded=False, secret=url)
    fifteen.backend.start(by_url)
    facts = fifteen.backend.provision(by_url, fifteen.order())
    assert facts["host"] == address
    PostgreSQLGuest().fill(facts, 5)
    dump = io.BytesIO()
    held = fifteen.backend.backup(by_url, facts, dump)
    PostgreSQLGuest().fill(facts, 5)
    fifteen.backend.restore(by_url, facts, io.BytesIO(dump.getvalue()))
    assert fifteen.backend.contents(by_url, facts) == held
    fifteen.backend.deprovision(by_url, facts["key"], facts)
    wrong = replace(by_url, secret=url.replace("postgres:", "nobody:", 1) + "x")
    with pytest.raises(PanelError) as raised:
        fifteen.backend.start(wrong)
    assert fifteen.server.secret not in f"{raised.value} {raised.value.__cause__!r}"
