"""Transferring an application: the site does not notice, people do."""

from __future__ import annotations

import pytest

from app.applications.queries import rights_on
from app.audit.models import AuditLine
from app.deployments.models import Deployment
from app.domains.queries import list_hosts
from app.errors import NotAllowed
from app.extensions import db
from app.lifecycle.transfer import foresee_transfer, list_targets, transfer_application
from app.organisations.operations import add_member
from app.permissions import EDIT, EVERYTHING, WORK, Role
from app.variables.operations import set_variable
from app.variables.queries import list_variables
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    EVE,
    RITA,
    Panel,
    application,
    environment,
    organisation,
    user_of,
)

PAGE = "/applications/demo/transfer/"


def give_to_alice(panel: Panel) -> None:
    with panel.work():
        transfer_application(application(), organisation("alice"), user_of(ALICE))


def test_the_site_goes_on_as_it_is(panel: Panel) -> None:
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    with panel.work():
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
    answers, hosts = site.visit(panel), hosts_of(panel)
    give_to_alice(panel)
    assert site.visit(panel) == answers and hosts_of(panel) == hosts
    with panel.reading():
        assert application().organisation.slug == "alice"
        assert [row.name for row in list_variables(environment().id)] == ["COLOUR"]
        assert db.session.scalar(db.select(db.func.count(Deployment.id))) == 1


def hosts_of(panel: Panel) -> list[str]:
    with panel.reading():
        return list_hosts(environment().id)


def test_who_is_no_member_there_loses_access_and_is_named_before(panel: Panel) -> None:
    with panel.work():
        add_member(organisation("alice"), BOB.email, Role.REGULAR, user_of(ALICE))
    with panel.reading():
        foreseen = foresee_transfer(application(), organisation("alice"))
        assert [row.collaborator.user.name for row in foreseen.losing] == ["Dora", "Eve"]
        assert [row.collaborator.user.name for row in foreseen.keeping] == ["Bob"]
    page = panel.client_of(ALICE).get(f"{PAGE}?to=alice").text
    assert "dora@example.com" in page and "loses access" in page and "keeps what" in page
    give_to_alice(panel)
    for person, status in ((ALICE, 200), (BOB, 200), (DORA, 404), (EVE, 404), (ADAM, 404)):
        assert panel.client_of(person).get("/applications/demo/").status_code == status, person
    with panel.work():  # the access hangs on the membership there from now on
        for row in organisation("alice").members:
            if row.user.name == "Bob":
                db.session.delete(row)
    assert panel.client_of(BOB).get("/applications/demo/").status_code == 404


def test_a_role_there_limits_what_was_given_here(panel: Panel) -> None:
    with panel.work():
        add_member(organisation("alice"), DORA.email, Role.SITE_EDITOR, user_of(ALICE))
    give_to_alice(panel)
    with panel.reading():
        assert rights_on(application(), user_of(DORA)) == EDIT


def test_a_regular_member_there_works_on_what_they_bring(panel: Panel) -> None:
    with panel.work():
        add_member(organisation("charlie"), ADAM.email, Role.REGULAR, user_of(CHARLIE))
        transfer_application(application(), organisation("charlie"), user_of(ADAM))
    with panel.reading():
        assert rights_on(application(), user_of(ADAM)) >= WORK
        assert rights_on(application(), user_of(CHARLIE)) == EVERYTHING
        assert rights_on(application(), user_of(ALICE)) == frozenset()


def test_only_to_where_one_may_create(panel: Panel) -> None:
    with panel.reading():
        assert [row.slug for row in list_targets(application(), user_of(ALICE))] == ["alice"]
    with panel.work():
        add_member(organisation("charlie"), ALICE.email, Role.SITE_EDITOR, user_of(CHARLIE))
    alice = panel.client_of(ALICE)
    for slug in ("charlie", "moon", "nowhere", ""):
        assert alice.post(PAGE, data={"organisation": slug}).status_code == 400, slug
    with pytest.raises(NotAllowed, match="may create in"), panel.work():
        transfer_application(application(), organisation("charlie"), user_of(ALICE))


def test_on_its_page(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    assert "Transfer…" in alice.get("/applications/demo/settings/").text
    assert "Transfer…" not in panel.client_of(DORA).get("/applications/demo/settings/").text
    given = alice.post(PAGE, data={"organisation": "alice"})
    assert given.status_code == 303 and given.location.endswith("/applications/demo/")
    again = alice.post(PAGE, data={"organisation": "alice"})
    assert again.status_code == 400, "the form sent twice"
    assert "Demo" in alice.get("/applications/?organisation=alice").text


def test_a_running_deployment_goes_on(panel: Panel) -> None:
    """It is the environment's; nothing of it asks for the organisation."""
    site.commit(panel)
    number = site.request(panel)
    give_to_alice(panel)
    assert site.run(panel, number).status == "succeeded"


def test_both_organisations_have_it_in_their_log(panel: Panel) -> None:
    give_to_alice(panel)
    with panel.reading():
        lines = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action.like("application.transfer%"))
        ).all()
        assert {(row.organisation_id, row.action) for row in lines} == {
            (organisation().id, "application.transfer_away"),
            (organisation("alice").id, "application.transfer_here"),
        }
        assert lines[0].details["lost_access"] == [BOB.email, DORA.email, EVE.email]


def test_nobody_else_transfers(panel: Panel) -> None:
    for person, status in ((DORA, 403), (BOB, 403), (EVE, 403), (RITA, 404), (CHARLIE, 404)):
        answer = panel.client_of(person).post(PAGE, data={"organisation": person.name.lower()})
        assert answer.status_code == status, person
