"""Deleting an organisation: only an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.addons.models import InstalledAddon
from app.addons.queries import find_addon
from app.applications.models import Application
from app.audit.models import AuditLine
from app.deployments.models import Release
from app.extensions import db, now
from app.lifecycle.trash import trash_application
from app.organisations.invitations import invite
from app.organisations.models import Invitation, Member
from app.organisations.queries import find_organisation
from app.permissions import Role
from tests.addons import samples
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    PASSWORD,
    Panel,
    application,
    organisation,
    user_of,
)

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


# Its addons -------------------------------------------------------------------------------------


def add_addon(panel: Panel) -> Path:
    """`moon-forms` of Moon on `demo`, which is another organisation's; where its archives lie."""
    with panel.work():
        addon = samples.settle_addon(user_of(ALICE))
        samples.install(addon.versions[0], application())
        folder = panel.settings.data_dir / "addons" / addon.versions[0].uuid
    folder.mkdir(parents=True)
    return folder


def delete(panel: Panel) -> str:
    """What the page says after the name was typed."""
    alice = panel.client_of(ALICE)
    answer = alice.post(PAGE, data={"name": "Moon"}, follow_redirects=True)
    return answer.text


def remove_from_demo(panel: Panel) -> None:
    with panel.work():
        db.session.scalars(db.select(InstalledAddon)).one().removed_at = now()


def test_not_as_long_as_sites_of_others_have_its_addons(empty: Panel) -> None:
    folder = add_addon(empty)
    page = empty.client_of(ALICE).get(PAGE).text
    assert "Not as long as sites of others run its addons" in page and "Moon forms" in page
    assert "Moon is deleted." not in delete(empty)
    remove_from_demo(empty)
    assert "1 addon with all its versions" in empty.client_of(ALICE).get(PAGE).text
    assert folder.is_dir()
    assert "Moon is deleted." in delete(empty)
    with empty.reading():
        assert find_addon(samples.NAME) is None
        assert not db.session.scalars(db.select(InstalledAddon)).all()
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "organisation.delete")
        ).one()
        assert line.details["addons"] == [samples.NAME]
    assert not folder.exists(), "nothing is left of the archives"


def test_a_removed_addon_counts_until_a_deployment_is_without_it(empty: Panel) -> None:
    add_addon(empty)
    remove_from_demo(empty)
    site.commit(empty)
    assert site.deploy(empty).status == "succeeded"
    with empty.work():
        release = db.session.scalars(db.select(Release)).one()
        release.contributions = {"addons": {samples.NAME: "1.0"}}
    assert "Moon forms" in delete(empty)
    with empty.work():
        release = db.session.scalars(db.select(Release)).one()
        release.contributions = {"addons": {"another": "1.0"}}
    assert "Moon is deleted." in delete(empty)


def test_an_account_keeps_what_addons_on_sites_of_others_need(panel: Panel) -> None:
    """Alice's own organisation has nobody else and no site, but an addon that Charlie runs."""
    with panel.work():
        organisation().members[1].role = Role.OWNER
        addon = samples.make_addon(organisation("alice"), user_of(ALICE), "alices")
        samples.install(samples.add_version(addon), application("other"))
    alice = panel.client_of(ALICE)
    page = alice.get("/account/delete/").text
    assert "1 addon on sites of others" in page
    with panel.work():
        db.session.delete(db.session.scalars(db.select(InstalledAddon)).one())
    page = alice.get("/account/delete/").text
    assert "and 1 addon that nobody uses" in page
    answer = alice.post("/account/delete/", data={"name": "Alice", "password": PASSWORD})
    assert answer.status_code == 303
    with panel.reading():
        assert find_addon("alices") is None
