"""The migrations run on SQLite and PostgreSQL, and end where the models are."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from app.deployments.models import Deployment
from app.extensions import db
from app.plans.models import Plan
from tests.panel import (
    ALICE,
    PASSWORD,
    Panel,
    build_schema,
    environment,
    make_settings,
    user_of,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_panel(request: pytest.FixtureRequest, tmp_path: Path) -> Panel:
    """A panel over an empty database of either kind."""
    is_sqlite = request.param == "sqlite"
    url = "" if is_sqlite else request.getfixturevalue("postgresql_url")
    panel = Panel(make_settings(tmp_path / "data", url))
    request.addfinalizer(panel.close)
    return panel


@pytest.fixture(params=["sqlite", "postgresql"])
def built_panel(request: pytest.FixtureRequest) -> Panel:
    """A panel over a database of either kind that has the schema."""
    if request.param == "postgresql":
        panel: Panel = request.getfixturevalue("postgresql_panel")
        return panel
    panel = Panel(make_settings(request.getfixturevalue("tmp_path") / "data"))
    request.addfinalizer(panel.close)
    build_schema(panel)
    return panel


def difference(panel: Panel) -> list[object]:
    """What autogenerate would put into a migration; `flask db check` asks the same."""
    with panel.app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, db.metadata))


def test_migrations_end_at_the_models(empty_panel: Panel) -> None:
    build_schema(empty_panel)
    assert difference(empty_panel) == []
    with empty_panel.app.app_context():
        tables = set(inspect(db.engine).get_table_names())
    assert tables == {*db.metadata.tables, "alembic_version"}


def test_the_comparison_sees_a_missing_column(built_panel: Panel) -> None:
    with built_panel.work():
        db.session.execute(db.text("ALTER TABLE plans DROP COLUMN pids"))
    assert any("pids" in str(item) for item in difference(built_panel))


def test_migrating_twice_changes_nothing(empty_panel: Panel) -> None:
    build_schema(empty_panel)
    build_schema(empty_panel)
    with empty_panel.reading():
        assert db.session.scalar(db.text("SELECT count(*) FROM feeds")) == 1
        assert db.session.scalar(db.text("SELECT count(*) FROM plans")) == 1


def test_migrations_can_be_taken_back(empty_panel: Panel) -> None:
    build_schema(empty_panel)
    with empty_panel.app.app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
    assert difference(empty_panel) == []


def test_no_number_is_given_twice(built_panel: Panel) -> None:
    """Whoever still holds the number of a row that is gone must not find another one."""
    numbers = []
    for _ in range(2):
        with built_panel.work():
            plan = Plan(slug="passing", name="Passing")
            db.session.add(plan)
            db.session.flush()
            numbers.append(plan.id)
        with built_panel.work():
            db.session.delete(db.session.get_one(Plan, numbers[-1]))
    assert numbers[1] > numbers[0]
    assert tables_that_reuse_numbers(built_panel) == []


def tables_that_reuse_numbers(panel: Panel) -> list[str]:
    """Only SQLite has any. A migration that changes a table there makes it anew."""
    if not panel.settings.uses_sqlite:
        return []
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%AUTOINCREMENT%'"
    with panel.reading():
        found = set(db.session.scalars(db.text(query)))
    return sorted(found - {"alembic_version", "sqlite_sequence"})


def test_there_is_one_line_of_migrations(panel: Panel) -> None:
    script = ScriptDirectory(str(Path(__file__).parents[2] / "migrations"))
    assert len(script.get_heads()) == 1


def test_from_sign_up_to_a_waiting_deployment(built_panel: Panel) -> None:
    """The smoke flow: sign up, create an application, ask for a deployment; on both databases."""
    browser = built_panel.client()
    person = {"name": ALICE.name, "email": ALICE.email, "password": PASSWORD}
    assert browser.post("/account/sign-up/", data=person).status_code == 303
    browser = built_panel.client_of(ALICE)
    wanted = {"name": "Demo", "slug": "demo", "organisation": "alice", "starter": "static"}
    made = browser.post("/applications/new/", data=wanted)
    assert made.status_code == 303 and made.headers["Location"] == "/applications/demo/"
    asked = browser.post("/applications/demo/environments/test/deploy/")
    assert asked.status_code == 303
    with built_panel.reading():
        row = db.session.scalars(db.select(Deployment)).one()
        assert asked.headers["Location"].endswith(f"/{row.uuid}/")
        assert (row.status, row.environment_id) == ("queued", environment().id)
        assert row.actor_id == user_of(ALICE).id
    assert built_panel.queue.jobs == [("app.deployments.jobs.run", (1,))]
    state = browser.get(f"{asked.headers['Location']}state/").get_json()
    assert state["status"] == "queued"


@pytest.mark.parametrize("method", ["get", "post"])
def test_characters_a_database_cannot_keep_are_no_error_of_ours(
    built_panel: Panel, method: str
) -> None:
    """PostgreSQL takes no NUL in text; SQLite does."""
    browser = built_panel.client()
    if method == "get":
        person = {"name": ALICE.name, "email": ALICE.email, "password": PASSWORD}
        browser.post("/account/sign-up/", data=person)
        signed_in = built_panel.client_of(ALICE)
        assert signed_in.get("/applications/%00/").status_code in {400, 404}
        assert signed_in.get("/applications/?q=%00").status_code in {200, 400}
    else:
        data = {"email": "a\0@example.com", "password": PASSWORD}
        assert browser.post("/account/sign-in/", data=data).status_code in {400, 401}
