"""A database of an older version, with everything in it, is brought up to date.

`old_database/0001.sql` is the dump of a panel as it was before rights, domains and the trash: two
organisations, six people, two deployments of `demo` and a waiting one of nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import downgrade
from sqlalchemy import Row, func, select
from sqlalchemy.exc import OperationalError

from app.accounts.operations import check_password
from app.audit.models import AuditLine
from app.domains.models import Domain
from app.extensions import db
from app.routes.queries import list_ingress_routes
from app.schema import upgrade_schema
from app.variables.queries import find_variable
from tests.house.test_migrations import tables_that_reuse_numbers
from tests.panel import ALICE, PASSWORD, Panel, environment, make_settings

OLD = Path(__file__).parent / "old_database"


@pytest.fixture
def old_panel(tmp_path: Path) -> Iterator[Panel]:
    """A panel of today over the data of then."""
    home = tmp_path / "old"
    for folder in ("panel", "secrets"):
        (home / folder).mkdir(parents=True)
    (home / "secrets" / "site.keys").write_text((OLD / "site.keys").read_text())
    with closing(sqlite3.connect(home / "panel" / "panel.sqlite3")) as connection:
        connection.executescript((OLD / "0001.sql").read_text())
    panel = Panel(make_settings(home))
    yield panel
    panel.close()


def upgraded(panel: Panel) -> Path:
    with panel.reading():
        copy = upgrade_schema(panel.settings)
    assert copy is not None
    return copy


def test_what_there_was_is_there_still(old_panel: Panel) -> None:
    upgraded(old_panel)
    with old_panel.reading():
        assert check_password(ALICE.email, PASSWORD)
        secret = find_variable(environment().id, "API_KEY")
        assert secret and secret.value == "a secret of the old days" and secret.is_secret
        plain = find_variable(environment().id, "COLOUR")
        assert plain and plain.value == " blue "
        domains = db.session.scalars(select(Domain)).all()
        assert len(domains) == 4
        assert all(row.proved_at for row in domains)
        assert len({row.uuid for row in domains}) == len({row.proof_token for row in domains}) == 4
        assert db.session.scalar(select(func.count(AuditLine.id)))


def test_sites_are_served_on(old_panel: Panel) -> None:
    upgraded(old_panel)
    with old_panel.reading():
        routes = list_ingress_routes()
    assert [route.hosts for route in routes] == [("demo-stage.localhost",)]
    assert routes[0].upstreams


def test_the_old_pages_open(old_panel: Panel) -> None:
    upgraded(old_panel)
    alice = old_panel.client_of(ALICE)
    for path in (
        "/applications/",
        "/applications/demo/",
        "/applications/demo/environments/test/variables/",
        "/organisations/moon/audit/",
        "/account/access-tokens/",
    ):
        assert alice.get(path).status_code == 200, path


def test_the_database_of_before_is_kept_and_whole(old_panel: Panel) -> None:
    copy = upgraded(old_panel)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (6,)
    assert copy.stat().st_mode & 0o077 == 0
    with old_panel.reading():
        assert upgrade_schema(old_panel.settings) is None


def test_a_migration_that_fails_leaves_the_old_one_as_it_was(old_panel: Panel) -> None:
    file = old_panel.settings.data_dir / "panel" / "panel.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE mails (is_in_the_way INTEGER)")
    with old_panel.reading(), pytest.raises(OperationalError):
        upgrade_schema(old_panel.settings)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        names = {row[1] for row in connection.execute("PRAGMA table_info(domains)")}
        assert "uuid" not in names
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert "passkeys" not in tables


def test_no_row_is_lost_on_the_way(old_panel: Panel) -> None:
    """SQLite changes a table by dropping it: what refers to it must not go along."""
    file = old_panel.settings.data_dir / "panel" / "panel.sqlite3"

    def counted() -> dict[str, int]:
        with closing(sqlite3.connect(file)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for (name,) in tables.fetchall()
            }

    before = counted()
    upgraded(old_panel)
    after = counted()
    assert before == {name: after[name] for name in before}
    assert sum(before.values()) > 100


def test_tables_are_made_anew_as_they_were(old_panel: Panel, panel: Panel) -> None:
    """Numbers are given once in old tables, too, and nothing else about them is lost on the way."""
    upgraded(old_panel)
    assert tables_that_reuse_numbers(old_panel) == []
    known = [
        {(row.type, row.name) for row in schema_of(place) if row.name != "sqlite_sequence"}
        for place in (old_panel, panel)
    ]
    assert known[0] == known[1]
    (entries,) = [row.sql for row in schema_of(old_panel) if row.name == "trash_entries"]
    assert "(application_id IS NULL) <> (environment_id IS NULL)" in entries


def schema_of(panel: Panel) -> Sequence[Row[Any]]:
    with panel.reading():
        return db.session.execute(db.text("SELECT type, name, sql FROM sqlite_master")).all()


def test_it_can_be_taken_back_with_everything_in_it(old_panel: Panel) -> None:
    upgraded(old_panel)
    with old_panel.reading():
        downgrade(revision="0001")
        assert db.session.execute(db.text("SELECT count(*) FROM users")).scalar() == 6
        db.session.rollback()  # the reading that saw the old tables
        upgrade_schema(old_panel.settings)
        assert check_password(ALICE.email, PASSWORD)
