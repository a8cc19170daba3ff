"""A restore whose process is killed when triggers and views are off the tables: they come back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from app.adapters.services import Facts, Server
from app.adapters.services.mysql_sql import ADMINISTRATOR, KEPT, OLD
from tests.contracts.cut_off import begin
from tests.contracts.service_fixtures import CASES, Place, ServiceCase, cleaned, running_case
from tests.contracts.service_guests import MariaDBGuest
from tests.contracts.tenants import wait_until

MINE = (
    "CREATE TABLE counted (id int)",
    "CREATE TABLE held (id int)",
    "INSERT INTO held VALUES (7)",
    "CREATE TRIGGER t BEFORE INSERT ON counted FOR EACH ROW SET NEW.id = NEW.id + 100",
    "CREATE VIEW v AS SELECT id FROM held",
    "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 42",
)
"""Of before: what is counted becomes 101."""
THEIRS = tuple(line.replace("100", "500").replace("42", "43") for line in MINE)
"""Of the dump."""
USE = ("INSERT INTO counted VALUES (1)", "SELECT counted.id, v.id, f() FROM counted, v")
Ask = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def mariadb(services_place: Place, servers: dict[str, Server]) -> Iterator[ServiceCase]:
    """The server that the run shares."""
    yield from cleaned(running_case(services_place, servers, CASES[1]))


@pytest.fixture
def operator(mariadb: ServiceCase) -> Iterator[Ask]:
    """Asks the server as its administrator, in one session."""
    login = {"user": ADMINISTRATOR, "password": mariadb.server.secret, "database": "mysql"}
    facts = {**mariadb.provision(), **login}
    with closing(MariaDBGuest().connect(mariadb.reached(facts))) as connection:

        def ask(statement: str, *values: object) -> list[tuple[object, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return [tuple(row) for row in cursor.fetchall()]

        yield ask


def _sql(case: ServiceCase, facts: Facts, *statements: str) -> list[tuple[object, ...]]:
    return MariaDBGuest().run(case.reached(facts), *statements)


def _settled(case: ServiceCase) -> tuple[Facts, bytes]:
    """An instance, and the dump of another one."""
    source, target, dump = case.provision(), case.provision(), io.BytesIO()
    _sql(case, source, *THEIRS)
    _sql(case, target, *MINE)
    case.backend.backup(case.server, source, dump)
    return target, dump.getvalue()


def _beside(operator: Ask, facts: Facts) -> list[tuple[object, ...]]:
    return operator("SHOW DATABASES LIKE %s", facts["key"] + "\\_%")


def test_before_the_swap(mariadb: ServiceCase, operator: Ask) -> None:
    """An operator's own session holds a table, so that the swap waits."""
    target, dump = _settled(mariadb)
    table = f"`{target['key']}`.held"
    operator("START TRANSACTION")
    operator(f"SELECT * FROM {table}")
    process = begin(mariadb.place, mariadb.server, target, dump)
    waits = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'RENAME TABLE%'"
    wait_until(lambda: operator(waits), 60)
    process.kill()
    process.wait()
    routines = "SELECT 1 FROM information_schema.routines WHERE routine_schema = %s"
    assert not operator(routines, target["key"])
    assert operator(waits)  # the server would go on by itself
    mariadb.backend.tidy(mariadb.server, target["key"], target)
    operator("COMMIT")
    assert _sql(mariadb, target, *USE) == [(101, 7, 42)]
    assert _beside(operator, target) == []
    mariadb.backend.restore(mariadb.server, target, io.BytesIO(dump))
    assert _sql(mariadb, target, *USE) == [(501, 7, 43)]


def test_right_after_the_swap(mariadb: ServiceCase, operator: Ask) -> None:
    """What the site makes until it is tidied up stays."""
    target, dump = _settled(mariadb)
    process = begin(mariadb.place, mariadb.server, target, dump)
    tables = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s"
    while process.poll() is None and not operator(tables, target["key"] + OLD):
        pass  # without a pause: a tenth of a second later all is done
    process.kill()
    process.wait()
    assert operator(tables, target["key"] + KEPT)
    _sql(mariadb, target, "CREATE VIEW made AS SELECT 3")
    mariadb.backend.tidy(mariadb.server, target["key"], target)
    assert _sql(mariadb, target, *USE) == [(501, 7, 43)]
    assert _sql(mariadb, target, "SELECT * FROM made") == [(3,)]
    assert _beside(operator, target) == []
