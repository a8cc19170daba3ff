"""Deleting an organisation: only an empty one."""

from __future__ import annotations

import pytest

from app.applications.models import Application
from app.audit.models import AuditLine
from app.extensions import db
from app.lifecycle.trash import trash_application
from app.organisations.invitations import invite
from app.organisations.models import Invitation, Member
from app.organisations.queries import find_organisation
from app.permissions import Role
from tests.panel import ADAM, ALICE, BOB, CHARLIE, Panel, application, organisation, user_of

PAGE = "/organisations/moon/delete/"


def test_not_as_long_as_it_has_applications(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    page = alice.get(PAGE).text
    assert "Not as long as it has applications" in page and "Demo" in page
    assert "Not as long as it has" in alice.post(PAGE, data={"name": "Moon"}).text
    with panel.work():
        trash_application(application(), user_of(ALICE))
    page = alice.get(PAGE).text
    assert "Demo" in page and "in the trash" in page
    assert "Not as long as it has" in alice.post(PAGE, data={"name": "Moon"}).text
    with panel.reading():
        assert find_organisation("moon")


@pytest.fixture
def empty(panel: Panel) -> Panel:
    """Moon has given everything away."""
    with panel.work():
        db.session.scalars(
            db.select(Application).where(Application.slug == "demo")
        ).one().organisation = organisation("alice")
        for row in list(application().collaborators):
            db.session.delete(row)
        invite(organisation(), "anna@client.example", Role.REGULAR, user_of(ALICE))
    return panel


def test_an_empty_one_goes_with_its_memberships_and_invitations(empty: Panel) -> None:
    alice = empty.client_of(ALICE)
    page = alice.get(PAGE).text
    assert "the memberships of 7 people" in page and "1 pending invitation" in page
    assert "not the name" in alice.post(PAGE, data={"name": "Mars"}).text
    gone = alice.post(PAGE, data={"name": "Moon"})
    assert gone.status_code == 303 and gone.location.endswith("/organisations/")
    assert "Moon is deleted." in alice.get(gone.location).text
    assert alice.post(PAGE, data={"name": "Moon"}).status_code == 404, "sent twice"
    assert empty.client_of(BOB).get("/organisations/moon/members/").status_code == 404
    with empty.reading():
        assert not db.session.scalars(db.select(Invitation)).all()
        assert db.session.scalar(db.select(db.func.count(Member.id))) == 8, "their own ones"
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "organisation.delete")
        ).one()
        assert BOB.email in line.details["members"]


def test_only_owners_delete(empty: Panel) -> None:
    for person, status in ((ADAM, 403), (BOB, 403), (CHARLIE, 404)):
        answer = empty.client_of(person).post(PAGE, data={"name": "Moon"})
        assert answer.status_code == status, person
