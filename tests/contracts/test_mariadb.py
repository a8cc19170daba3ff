"""What only MariaDB has: wildcards in rights, triggers and views, a client that runs programs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pymysql
import pytest

from app.adapters.services import Facts, Server, ServiceKind
from app.adapters.services.mysql_lines import DumpLines
from app.adapters.services.mysql_sql import ADMINISTRATOR
from app.errors import Invalid, Unavailable
from tests.contracts.service_fixtures import Kind, Place, ServiceCase, cleaned, running_case
from tests.contracts.service_guests import MariaDBGuest


@pytest.fixture
def mariadb(services_place: Place, servers: dict[str, Server]) -> Iterator[ServiceCase]:
    """The server that the run shares."""
    kind = Kind(ServiceKind.MYSQL, "10.11", MariaDBGuest())
    yield from cleaned(running_case(services_place, servers, kind))


def _sql(case: ServiceCase, facts: Facts, *statements: str) -> list[tuple[object, ...]]:
    return MariaDBGuest().run(case.reached(facts), *statements)


def test_an_underscore_is_no_wildcard(mariadb: ServiceCase) -> None:
    keys = ("env_b" + mariadb.order().key[:8], "envZb" + mariadb.made[-1][0][:8])
    orders = [replace(mariadb.order(), key=key) for key in keys]
    mariadb.made += [(key, {}) for key in keys]
    mine, others = (mariadb.backend.provision(mariadb.server, order) for order in orders)
    mariadb.fill(mine, 1)
    mariadb.fill(others, 1)
    assert not MariaDBGuest().may_enter(mariadb.reached(mine), mariadb.reached(others))
    seen = {row[0] for row in _sql(mariadb, mine, "SHOW DATABASES")}
    assert seen == {mine["database"], "information_schema"}


def test_an_account_may_do_nothing_but_its_own(mariadb: ServiceCase) -> None:
    mine = mariadb.provision()
    for statement in (
        "CREATE DATABASE other",
        "CREATE USER other",
        "SELECT * FROM mysql.global_priv",
        "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
        "GRANT ALL ON *.* TO CURRENT_USER",
        "SET GLOBAL max_connections = 10",
    ):
        with pytest.raises(pymysql.Error):
            _sql(mariadb, mine, statement)


def test_connections_are_limited_and_a_full_site_is_a_sentence(mariadb: ServiceCase) -> None:
    facts = mariadb.provision(connections=3)
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(MariaDBGuest().connect(mariadb.reached(facts)))
        assert mariadb.backend.usage(mariadb.server, facts).connections == 3
        with pytest.raises(pymysql.Error):
            MariaDBGuest().connect(mariadb.reached(facts))
        with pytest.raises(Unavailable, match="uses all connections"):
            mariadb.backend.contents(mariadb.server, facts)
        with pytest.raises(Unavailable):
            mariadb.backend.backup(mariadb.server, facts, io.BytesIO())


def test_everything_a_site_makes_comes_back_as_its_own(mariadb: ServiceCase) -> None:
    source, target, dump = mariadb.provision(), mariadb.provision(rows=9), io.BytesIO()
    _sql(
        mariadb,
        source,
        "CREATE TABLE parents (id int PRIMARY KEY, text text)",
        "CREATE TABLE children (id int, parent int, FOREIGN KEY (parent) REFERENCES parents (id))",
        "INSERT INTO parents VALUES (1, '(\\n(2),\\n;'), (2, 'INSERT INTO `x` VALUES\\n(')",
        "INSERT INTO children VALUES (1, 1), (2, 1), (3, 2)",
        "CREATE TRIGGER t BEFORE INSERT ON children FOR EACH ROW SET NEW.id = NEW.id + 100",
        "CREATE VIEW v AS SELECT id FROM parents",
        "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 42",
        "CREATE PROCEDURE p() BEGIN\nCREATE TEMPORARY TABLE `q` (id int);\nEND",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM children WHERE id = 0",
    )
    _sql(
        mariadb,
        target,
        "CREATE TRIGGER old BEFORE INSERT ON empty FOR EACH ROW SET NEW.id = 1",
        "CREATE VIEW v AS SELECT 1 AS id",
    )
    held = mariadb.backend.backup(mariadb.server, source, dump)
    assert held.counts == {"children": 3, "parents": 2}
    assert b"DEFINER=`" not in dump.getvalue()
    mariadb.backend.restore(mariadb.server, target, io.BytesIO(dump.getvalue()))
    assert mariadb.backend.contents(mariadb.server, target).counts == held.counts
    _sql(mariadb, target, "INSERT INTO children VALUES (1, 2)", "CALL p()")
    assert _sql(mariadb, target, "SELECT MAX(id), f() FROM children") == [(101, 42)]
    assert _sql(mariadb, target, "SELECT * FROM v ORDER BY id") == [(1,), (2,)]
    names = [row[0] for row in _sql(mariadb, target, "SHOW EVENTS")]
    assert names == [target["database"]]
    with pytest.raises(pymysql.Error):  # the foreign key came along
        _sql(mariadb, target, "INSERT INTO children VALUES (1, 77)")
    seen = {row[0] for row in _sql(mariadb, target, "SHOW DATABASES")}
    assert seen == {target["database"], "information_schema"}


def test_tables_that_cannot_be_moved_keep_their_triggers_and_views(
    mariadb: ServiceCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's own session holds one of them for longer than the swap waits."""
    monkeypatch.setattr("app.adapters.services.mysql_dumps._SWAP_TRIES", 2)
    monkeypatch.setattr("app.adapters.services.mysql_sql._LOCK_SECONDS", 1)
    source, target, dump = mariadb.provision(rows=3), mariadb.provision(), io.BytesIO()
    mariadb.backend.backup(mariadb.server, source, dump)
    _sql(
        mariadb,
        target,
        "CREATE TABLE counted (id int)",
        "CREATE TABLE held (id int)",
        "INSERT INTO held VALUES (7)",
        "CREATE TRIGGER t BEFORE INSERT ON counted FOR EACH ROW SET NEW.id = NEW.id + 100",
        "CREATE VIEW v AS SELECT id FROM held",
    )
    operator = {**target, "user": ADMINISTRATOR, "password": mariadb.server.secret}
    holding = MariaDBGuest().connect(mariadb.reached(operator))
    with holding, holding.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM held")
        with pytest.raises(Unavailable):
            mariadb.backend.restore(mariadb.server, target, io.BytesIO(dump.getvalue()))
    _sql(mariadb, target, "INSERT INTO counted VALUES (1)")
    assert _sql(mariadb, target, "SELECT counted.id, v.id FROM counted, v") == [(101, 7)]
    mariadb.backend.restore(mariadb.server, target, io.BytesIO(dump.getvalue()))
    assert mariadb.read(target) == mariadb.read(source)


@pytest.mark.parametrize(
    "evil", ["\\! touch /tmp/evil", "system touch /tmp/evil", "USE mysql;", "tee /tmp/evil"]
)
def test_a_dump_may_not_do_more_than_its_site(mariadb: ServiceCase, evil: str) -> None:
    """A dump may come from anywhere, and MariaDB's client runs programs for one that asks."""
    facts, dump = mariadb.provision(rows=2), io.BytesIO()
    mariadb.backend.backup(mariadb.server, facts, dump)
    text = dump.getvalue().rpartition(b"-- Moonbase SHA-256")[0]
    mark = b"/*!40101 SET NAMES utf8mb4 */;\n"
    assert mark in text
    spoilt = text.replace(mark, mark + evil.encode() + b"\n", 1)
    before = mariadb.read(facts)
    with pytest.raises(Invalid):
        mariadb.backend.restore(mariadb.server, facts, io.BytesIO(spoilt))
    looking = mariadb.place.engine.execute(mariadb.container, ("ls", "/tmp/evil"), {}, 20)
    assert looking.exit_code != 0
    assert mariadb.read(facts) == before


def test_a_newer_dump_is_refused(mariadb: ServiceCase) -> None:
    facts, dump = mariadb.provision(rows=1), io.BytesIO()
    mariadb.backend.backup(mariadb.server, facts, dump)
    text = dump.getvalue().rpartition(b"-- Moonbase SHA-256")[0]
    newer = text.replace(b"-- Server version\t10.11", b"-- Server version\t11.4", 1)
    with pytest.raises(Invalid, match=r"MariaDB 11\.4"):
        mariadb.backend.restore(mariadb.server, facts, io.BytesIO(newer))


def test_an_administrators_server_is_used_by_its_url(mariadb: ServiceCase) -> None:
    address = mariadb.reached({})["host"]
    url = f"mysql://moonbase:{mariadb.server.secret}@{address}:3306"
    by_url = replace(mariadb.server, is_embedded=False, secret=url)
    mariadb.backend.start(by_url)
    facts = mariadb.backend.provision(by_url, mariadb.order())
    assert facts["host"] == address
    MariaDBGuest().fill(facts, 5)
    dump = io.BytesIO()
    held = mariadb.backend.backup(by_url, facts, dump)
    MariaDBGuest().fill(facts, 5)
    mariadb.backend.restore(by_url, facts, io.BytesIO(dump.getvalue()))
    assert mariadb.backend.contents(by_url, facts).counts == held.counts
    with pytest.raises(Unavailable, match="does not let the account in"):
        mariadb.backend.start(replace(by_url, secret=url.replace("moonbase:", "nobody:")))


def test_a_dump_keeps_every_line_whatever_ends_it() -> None:
    dump = b"BEGIN\r\r\n  SET @a=1;\rSET @b=2;\n\rEND;\n-- Dump completed\n"
    for size in (1, 3, 1000):
        lines = DumpLines()
        pieces = [lines.feed(dump[at : at + size]) for at in range(0, len(dump), size)]
        assert b"".join([*pieces, lines.finish()]) == dump


def test_rows_are_counted_however_the_dump_is_cut() -> None:
    dump = (
        b"/*!40101 SET character_set_client = utf8mb4 */;\nCREATE TABLE `a``b` (\n"
        b"INSERT INTO `a``b` VALUES\n(1,'x'),\n(2,'(\\n(');\n"
        b"/*!50017 DEFINER=`m1`@`%`*/ (nothing);\n(no row\n-- Dump completed\n"
    )
    for size in (1, 2, 7, 1000):
        lines = DumpLines()
        pieces = [lines.feed(dump[at : at + size]) for at in range(0, len(dump), size)]
        assert b"".join([*pieces, lines.finish()]) == dump.replace(b"DEFINER=`m1`@`%`", b"")
        assert lines.counts == {"a`b": 2}
