"""What a restore leaves beside the instance when its process is killed; it can be removed."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from app.adapters.services import Facts, Server
from tests.contracts.cut_off import Moment, cut_off
from tests.contracts.service_fixtures import CASES, Place, ServiceCase, cleaned, running_case

POSTGRESQL, MARIADB = CASES[:2]
# The dump of MariaDB is not looked at again once it was loaded.
MOMENTS = ((POSTGRESQL, Moment.TAKEN_IN), (POSTGRESQL, Moment.FILLED), (MARIADB, Moment.TAKEN_IN))
ALL = "ls /var/lib/postgresql /var/lib/mysql; psql -X -Atc 'SELECT datname FROM pg_database'"


@pytest.fixture(params=MOMENTS, ids=lambda param: f"{param[0]} {param[1]}")
def killed(
    request: pytest.FixtureRequest, services_place: Place, servers: dict[str, Server]
) -> Iterator[tuple[ServiceCase, Moment]]:
    kind, moment = request.param
    for case in cleaned(running_case(services_place, servers, kind)):
        yield case, moment


def test_what_a_killed_restore_has_left_is_removed(killed: tuple[ServiceCase, Moment]) -> None:
    """The dump on its way, or the database that is filled from it."""
    case, moment = killed
    facts, sink = case.provision(rows=20), io.BytesIO()
    case.backend.backup(case.server, facts, sink)
    case.fill(facts, 3)
    before = case.read(facts)
    assert _beside(case, facts) == set()
    cut_off(case, facts, sink.getvalue(), moment)
    assert _beside(case, facts)
    case.backend.tidy(case.server, facts["key"], facts)
    assert _beside(case, facts) == set()
    assert case.read(facts) == before
    case.backend.restore(case.server, facts, io.BytesIO(sink.getvalue()))
    assert case.read(facts) != before and _beside(case, facts) == set()


def _beside(case: ServiceCase, facts: Facts) -> set[str]:
    """Files of the server, and databases, that bear the instance's name and more."""
    sink = io.BytesIO()
    case.place.engine.execute(case.container, ("sh", "-c", ALL), {}, 20, None, sink)
    names = sink.getvalue().decode().split()
    return {name for name in names if name.startswith(facts["key"]) and name != facts["key"]}
