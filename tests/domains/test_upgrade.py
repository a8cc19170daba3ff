"""A database from before there were own domains goes on serving what it served."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import JSON, Boolean, Connection, DateTime, Integer, MetaData, Table, insert

from app.domains.models import Domain, DomainKind
from app.extensions import db, now
from app.routes.queries import list_ingress_routes
from tests.panel import Panel, make_settings

HOSTS = ("demo-stage.localhost", "demo.localhost")


@pytest.fixture(params=["sqlite", "postgresql"])
def old_panel(request: pytest.FixtureRequest, tmp_path: Path) -> Panel:
    """A panel at the first migration, with two environments that are served."""
    is_sqlite = request.param == "sqlite"
    url = "" if is_sqlite else request.getfixturevalue("postgresql_url")
    panel = Panel(make_settings(tmp_path / "data", url))
    request.addfinalizer(panel.close)
    with panel.app.app_context():
        upgrade(revision="0001")
        with db.engine.begin() as connection:
            fill(connection)
    return panel


def fill(connection: Connection) -> None:
    """Rows as the first version wrote them; whatever does not matter here holds anything."""
    tables = MetaData()
    tables.reflect(connection)

    def add(table: str, **values: Any) -> None:
        row = tables.tables[table]
        connection.execute(insert(row).values(**(_anything(row) | values)))

    add("organisations", id=1)
    add("applications", id=1, organisation_id=1, slug="demo")
    add("regions", id=1)
    for number, host in enumerate(HOSTS, 1):
        add("environments", id=number, application_id=1, region_id=1, slug=f"e{number}")
        add("domains", environment_id=number, host=host, kind="platform")
        add("routes", environment_id=number, upstreams=[[f"10.0.0.{number}", 80]])


def _anything(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable or column.primary_key:
            continue
        kinds = {Integer: 1, Boolean: False, DateTime: now(), JSON: []}
        fitting = [value for kind, value in kinds.items() if isinstance(column.type, kind)]
        found[column.name] = fitting[0] if fitting else uuid.uuid4().hex
    return found


def test_platform_hosts_are_proved_and_served_after_the_upgrade(old_panel: Panel) -> None:
    with old_panel.app.app_context():
        upgrade()
    with old_panel.reading():
        rows = db.session.scalars(db.select(Domain)).all()
        assert len(rows) == len({row.uuid for row in rows}) == 2
        assert len({row.proof_token for row in rows}) == 2
        assert all(row.proved_at == row.created_at for row in rows)
        assert {row.kind for row in rows} == {DomainKind.PLATFORM}
        assert [route.hosts for route in list_ingress_routes()] == [(host,) for host in HOSTS]
