"""Deploying chosen sites at once: only those the person may, each on its own."""

from __future__ import annotations

import re

from sqlalchemy import select

from app.applications.models import Application, Starter
from app.deployments.models import Deployment
from app.environments.models import Environment
from app.extensions import db
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    Panel,
    make_application,
    organisation,
    user_of,
)


def asked(panel: Panel) -> set[tuple[str, str]]:
    """Site and environment of every deployment there is."""
    with panel.reading():
        rows = db.session.execute(
            select(Application.slug, Environment.slug)
            .join(Environment, Environment.application_id == Application.id)
            .join(Deployment, Deployment.environment_id == Environment.id)
        ).all()
    return {(slug, name) for slug, name in rows}


def add_sites(panel: Panel) -> None:
    with panel.work():
        make_application(panel, "second", organisation(), user_of(ALICE))
        make_application(panel, "empty", organisation(), user_of(ALICE), Starter.BLANK)


def test_the_review_shows_what_would_go_out(panel: Panel) -> None:
    add_sites(panel)
    page = panel.client_of(ALICE).get(
        "/applications/deploy/?environment=test&site=demo&site=second&site=empty&site=nowhere"
    )
    assert page.status_code == 200
    assert "Demo" in page.text and "Second" in page.text and "Empty" in page.text
    boxes = re.findall(r'name="site"\s+value="(\w+)"\s+(checked|disabled)', page.text)
    assert boxes == [("demo", "checked"), ("empty", "disabled"), ("second", "checked")]
    assert asked(panel) == set()


def test_all_chosen_ones_are_deployed(panel: Panel) -> None:
    add_sites(panel)
    answer = panel.client_of(ALICE).post(
        "/applications/deploy/", data={"environment": "live", "site": ["demo", "second", "empty"]}
    )
    assert answer.status_code == 303
    assert asked(panel) == {("demo", "live"), ("second", "live")}


def test_sent_twice_it_is_asked_once(panel: Panel) -> None:
    for _ in range(2):
        panel.client_of(ALICE).post(
            "/applications/deploy/", data={"environment": "test", "site": ["demo"]}
        )
    with panel.reading():
        assert len(db.session.scalars(select(Deployment)).all()) == 1


def test_everybody_deploys_only_what_they_may(panel: Panel) -> None:
    add_sites(panel)
    for person in (BOB, CHARLIE):
        answer = panel.client_of(person).post(
            "/applications/deploy/", data={"environment": "test", "site": ["demo", "second"]}
        )
        assert answer.status_code == 400
        page = panel.client_of(person).get("/applications/deploy/?environment=test&site=demo")
        assert page.status_code == 200 and "Demo" not in page.text
    assert asked(panel) == set()
    panel.client_of(DORA).post(
        "/applications/deploy/", data={"environment": "test", "site": ["demo", "second"]}
    )
    assert asked(panel) == {("demo", "test")}


def test_one_that_is_refused_keeps_no_other_from_going(panel: Panel) -> None:
    add_sites(panel)
    alice = panel.client_of(ALICE)
    with panel.reading():
        key = db.session.scalars(
            db.text(
                "SELECT r.uuid FROM repositories r JOIN applications a ON a.id = "
                "r.application_id WHERE a.slug = 'demo'"
            )
        ).one()
    folder = next((panel.settings.data_dir / "repositories").rglob(f"{key}*"))
    folder.rename(folder.with_name("elsewhere"))
    answer = alice.post(
        "/applications/deploy/", data={"environment": "test", "site": ["demo", "second"]}
    )
    assert answer.status_code == 303
    assert asked(panel) == {("second", "test")}


def test_an_environment_nobody_has_is_refused(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    assert alice.get("/applications/deploy/?environment=moon&site=demo").status_code == 400
    answer = alice.post("/applications/deploy/", data={"environment": "", "site": ["demo"]})
    assert answer.status_code == 400
    assert asked(panel) == set()
