"""Operators' pages: theirs alone, and what they do there."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.accounts.models import SignIn
from app.audit.models import AuditLine
from app.extensions import db, now
from app.mails.operations import post_mail
from app.platform_status.jobs import folder_size, measure_disk, report_engine, report_queues
from app.platform_status.models import Incident
from app.platform_status.operations import Reporter
from app.platform_status.queries import find_heartbeat
from app.services.models import ServiceServer
from app.services.servers import seed_servers
from tests.panel import ALICE, BOB, CHARLIE, PEOPLE, Panel, Person, user_of

PAGES = (
    "/operator/",
    "/operator/incidents/",
    "/operator/people/",
    "/operator/audit/",
    "/operator/services/",
)
OPEN = {"title": "Builds are slow", "impact": "degraded", "text": "We look into it."}


@pytest.fixture
def operator(panel: Panel) -> FlaskClient:
    """Alice, who looks after the installation."""
    with panel.work():
        user_of(ALICE).is_operator = True
    return panel.client_of(ALICE)


def uuid_of(panel: Panel, person: Person) -> str:
    with panel.reading():
        return user_of(person).uuid


def run(panel: Panel, *words: str) -> str:
    done = panel.app.test_cli_runner().invoke(args=["panel", *words])
    return done.output if done.exit_code == 0 else f"refused: {done.output}"


def test_pages_are_there_for_operators_only(panel: Panel, operator: FlaskClient) -> None:
    operator.post("/operator/incidents/", data=OPEN)
    with panel.work():
        seed_servers()
        uuid = db.session.scalars(db.select(Incident.uuid)).one()
        server = db.session.scalars(db.select(ServiceServer.uuid)).first()
    pages = (*PAGES, f"/operator/incidents/{uuid}/")
    posts = (
        "/operator/incidents/",
        f"/operator/incidents/{uuid}/",
        f"/operator/people/{uuid_of(panel, ALICE)}/operator/",
        f"/operator/people/{uuid_of(panel, ALICE)}/sign-out/",
        "/operator/services/",
        f"/operator/services/{server}/offer/",
    )
    for path in pages:
        assert operator.get(path).status_code == 200, path
        assert panel.client().get(path).status_code == 302, path
    for person in PEOPLE:
        if person != ALICE:
            client = panel.client_of(person)
            assert {client.get(path).status_code for path in pages} == {404}
            assert {client.post(path).status_code for path in posts} == {404}
    assert {panel.client().post(path).status_code for path in posts} == {302}
    with panel.reading():
        assert user_of(ALICE).is_operator


def test_every_route_of_operators_is_in_the_test_above(panel: Panel) -> None:
    rules = {r.rule for r in panel.app.url_map.iter_rules() if r.rule.startswith("/operator")}
    assert rules == {
        *PAGES,
        "/operator/incidents/<uuid>/",
        "/operator/people/<uuid>/operator/",
        "/operator/people/<uuid>/sign-out/",
        "/operator/services/<uuid>/offer/",
    }


def test_the_menu_shows_it_to_operators(panel: Panel, operator: FlaskClient) -> None:
    assert 'href="/operator/"' in operator.get("/account/").text
    assert 'href="/operator/"' not in panel.client_of(BOB).get("/account/").text


def test_an_incident_on_the_pages(panel: Panel, operator: FlaskClient) -> None:
    refused = operator.post("/operator/incidents/", data={**OPEN, "text": "  "})
    assert refused.status_code == 200
    assert operator.post("/operator/incidents/", data=OPEN).status_code == 303
    with panel.reading():
        uuid = db.session.scalars(db.select(Incident.uuid)).one()
    path = f"/operator/incidents/{uuid}/"
    operator.post(path, data={"impact": "down", "text": "Worse."})
    operator.post(path, data={"impact": "down", "text": "Done.", "resolve": "yes"})
    again = operator.post(path, data={"impact": "down", "text": "Once more."})
    assert again.status_code == 200 and "resolved already" in again.text
    with panel.reading():
        row = db.session.scalars(db.select(Incident)).one()
        assert row.resolved_at and row.impact == "down"
        assert [update.text for update in row.updates] == ["Done.", "Worse.", "We look into it."]
        actions = db.session.scalars(
            db.select(AuditLine.action).where(AuditLine.action.startswith("incident"))
        ).all()
        assert actions == ["incident.open", "incident.update", "incident.resolve"]
    assert operator.get("/operator/incidents/nowhere/").status_code == 404


def test_an_incident_from_a_shell(panel: Panel) -> None:
    uuid = run(panel, "incident", "open", "Mail is late", "The relay is down.").strip()
    assert len(uuid) == 36
    assert run(panel, "incident", "update", "It comes back.", "--impact", "notice") == ""
    other = run(panel, "incident", "open", "Another", "Text", "--impact", "down").strip()
    assert "Name one of the open incidents." in run(panel, "incident", "resolve")
    assert run(panel, "incident", "resolve", "All sent.", "--id", uuid) == ""
    assert "resolved already" in run(panel, "incident", "resolve", "--id", uuid)
    assert run(panel, "incident", "resolve", "--id", other) == ""
    assert "refused" in run(panel, "incident", "open", "No text", " ")


def test_people_are_found_made_operators_and_signed_out(
    panel: Panel, operator: FlaskClient
) -> None:
    assert "bob@example.com" in operator.get("/operator/people/?q=BOB+example").text
    assert "bob@example.com" not in operator.get("/operator/people/?q=charlie").text
    bob = panel.client_of(BOB)
    path = f"/operator/people/{uuid_of(panel, BOB)}"
    assert operator.post(f"{path}/operator/").status_code == 303
    assert bob.get("/operator/").status_code == 200
    assert operator.post(f"{path}/sign-out/").status_code == 303
    assert bob.get("/account/").status_code == 302
    with panel.reading():
        assert not db.session.scalars(
            db.select(SignIn).where(SignIn.user_id == user_of(BOB).id)
        ).all()
        line = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id.desc())).first()
        assert line and line.actor_name == "Alice"
        assert line.action == "account.sign_out_everywhere"
    assert operator.post(f"{path}/operator/").status_code == 303
    assert panel.client_of(BOB).get("/operator/").status_code == 404


def test_the_last_operator_stays(panel: Panel, operator: FlaskClient) -> None:
    operator.post(f"/operator/people/{uuid_of(panel, ALICE)}/operator/")
    with panel.reading():
        assert user_of(ALICE).is_operator
    assert "last operator" in run(panel, "operator", "remove", ALICE.email)
    assert run(panel, "operator", "add", CHARLIE.email) == ""
    assert run(panel, "operator", "remove", ALICE.email) == ""
    assert operator.get("/operator/").status_code == 404


def test_what_processes_report_is_on_the_page(panel: Panel, operator: FlaskClient) -> None:
    assert "No process has reported yet" in operator.get("/operator/").text
    with panel.reading():
        report_queues(Reporter("queue"))
        report_engine(Reporter("engine"), panel.engine)
        measure_disk()
    with panel.work():
        mail = post_mail("a@example.com", "Hello", "text")
        mail.due_at, mail.failure = None, "The mailbox is full."
    page = operator.get("/operator/").text
    for words in ("deployments", "operations", "The mailbox is full.", "SQLite", "Repositories"):
        assert words in page
    with panel.reading():
        disk = find_heartbeat("disk")
        assert disk and disk.details["folders"]["repositories"]["bytes"] > 0
        assert disk.details["folders"]["images"]["is_whole"]


def test_a_queue_that_is_down_is_not_reported(panel: Panel) -> None:
    panel.queue.is_down = True
    with panel.reading():
        report_queues(Reporter("queue"))
        assert find_heartbeat("queue") is None


def test_folders_are_measured_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/")
    size, is_whole = folder_size(tmp_path)
    assert is_whole and 100_000 <= size < 200_000
    assert folder_size(tmp_path, seconds=-1) == (0, False)
    assert folder_size(tmp_path / "nowhere") == (0, True)


def test_an_old_mail_that_left_is_not_counted(panel: Panel, operator: FlaskClient) -> None:
    with panel.work():
        mail = post_mail("a@example.com", "Hello", "text")
        mail.due_at, mail.delivered_at = None, now() - datetime.timedelta(days=1)
    page = operator.get("/operator/").text
    assert "Mails waiting" in page and "text-loud" not in page
