"""What a restore leaves beside the instance when its process is killed; it can be removed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest

from app.adapters.services import Facts, Server
from app.adapters.services.object_storage.seaweed import administration
from tests.contracts.cut_off import Moment, cut_off
from tests.contracts.object_storage_fixtures import Storage
from tests.contracts.service_fixtures import CASES, Place, ServiceCase, cleaned, running_case

POSTGRESQL, MARIADB = CASES[:2]
# The dump of MariaDB is not looked at again once it was loaded.
MOMENTS = ((POSTGRESQL, Moment.TAKEN_IN), (POSTGRESQL, Moment.FILLED), (MARIADB, Moment.TAKEN_IN))
SIZE = 48 * 1024**2
"""More than one part of an upload."""
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
    cut_off(case.place, case.server, facts, sink.getvalue(), moment)
    assert _beside(case, facts)
    case.backend.tidy(case.server, facts["key"], facts)
    assert _beside(case, facts) == set()
    assert case.read(facts) == before
    case.backend.restore(case.server, facts, io.BytesIO(sink.getvalue()))
    assert case.read(facts) != before and _beside(case, facts) == set()


def test_uploads_of_a_killed_restore_are_ended(services_place: Place, storage: Storage) -> None:
    """They occupy room, and no list shows them. The archive is looked at first, then taken in."""
    facts, sink = storage.new(), io.BytesIO()
    there = administration(storage.server, facts["address"])
    keys = {"access_key": there.access_key, "secret_key": there.secret_key}
    s3, bucket = storage.client({**facts, **keys}), facts["bucket"]
    s3.put_object(Bucket=bucket, Key="large.bin", Body=os.urandom(SIZE))
    storage.backend.backup(storage.server, facts, sink)
    cut_off(services_place, storage.server, facts, sink.getvalue(), Moment.LARGE)
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    storage.backend.tidy(storage.server, facts["key"], facts)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert s3.head_object(Bucket=bucket, Key="large.bin")["ContentLength"] == SIZE


def _beside(case: ServiceCase, facts: Facts) -> set[str]:
    """Files of the server, and databases, that bear the instance's name and more."""
    sink = io.BytesIO()
    case.place.engine.execute(case.container, ("sh", "-c", ALL), {}, 20, None, sink)
    names = sink.getvalue().decode().split()
    return {name for name in names if name.startswith(facts["key"]) and name != facts["key"]}
