"""An organisation that asks for a second factor: no road leads past it."""

from __future__ import annotations

import base64

import pytest

from app.accounts.operations import create_access_token
from app.adapters.git import GitService
from app.applications.operations import add_collaborator
from app.applications.queries import list_applications, list_sites, rights_on
from app.errors import Invalid, SecondFactorNeeded
from app.extensions import db
from app.organisations.operations import require_second_factor
from app.permissions import Access, Permission
from app.repositories.access import authorise_git
from tests.matrix import About, about_of, guarded, permission_of
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    EVE,
    RITA,
    Panel,
    Person,
    application,
    organisation,
    user_of,
)
from tests.test_permissions import On, busy_panel, form, values

SETTINGS = "/organisations/moon/settings/"
SWITCH = f"{SETTINGS}second-factor/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def give_second_factor(panel: Panel, *people: Person) -> None:
    with panel.work():
        for person in people:
            user_of(person).totp_secret = SECRET


def require(panel: Panel) -> None:
    """As if an owner had switched it on."""
    with panel.work():
        organisation().requires_second_factor = True


def is_required(panel: Panel) -> bool:
    with panel.reading():
        return organisation().requires_second_factor


def test_an_owner_without_one_does_not_lock_everybody_out(panel: Panel) -> None:
    form = {"requires_second_factor": "y"}
    answer = panel.client_of(ALICE).post(SWITCH, data=form)
    assert "Set up a second factor for yourself first" in answer.text
    give_second_factor(panel, ALICE)
    answer = panel.client_of(ALICE).post(SWITCH, data=form)
    assert "Show your second factor first" in answer.text
    assert not is_required(panel)
    alice = panel.client_of(ALICE, has_second_factor=True)
    assert alice.post(SWITCH, data=form).status_code == 303
    assert is_required(panel)
    assert alice.post(SWITCH, data={}).status_code == 303
    assert not is_required(panel)


def test_only_owners_ask_for_it(panel: Panel) -> None:
    give_second_factor(panel, ADAM)
    adam = panel.client_of(ADAM, has_second_factor=True)
    assert adam.post(SWITCH, data={"requires_second_factor": "y"}).status_code == 403


def test_renaming_does_not_switch_it_off(panel: Panel) -> None:
    give_second_factor(panel, ALICE)
    require(panel)
    alice = panel.client_of(ALICE, has_second_factor=True)
    assert alice.post(SETTINGS, data={"name": "Big Moon"}).status_code == 303
    assert is_required(panel)


def test_the_settings_say_who_has_none(panel: Panel) -> None:
    give_second_factor(panel, ALICE, ADAM)
    page = panel.client_of(ALICE).get(SETTINGS).text
    assert "5 members have none yet:" in page and "Bob" in page and "Adam" not in page


def test_whoever_has_none_is_led_to_setting_one_up(panel: Panel) -> None:
    require(panel)
    page = panel.client_of(ADAM).get("/applications/demo/")
    assert page.status_code == 403
    assert "Moon asks its members for a second factor" in page.text
    assert 'href="/account/second-factor/"' in page.text
    plain = panel.client_of(ADAM).get("/applications/demo/", headers={"Accept": "text/plain"})
    assert plain.mimetype == "text/plain" and "Set one up" in plain.text


def test_whoever_has_one_is_led_to_showing_it(panel: Panel) -> None:
    give_second_factor(panel, ADAM)
    require(panel)
    page = panel.client_of(ADAM).get("/applications/demo/")
    assert page.status_code == 403
    assert 'href="/account/second-factor/show/?next=/applications/demo/"' in page.text
    shown = panel.client_of(ADAM, has_second_factor=True)
    assert shown.get("/applications/demo/").status_code == 200


def test_strangers_and_those_without_access_learn_nothing(panel: Panel) -> None:
    require(panel)
    for person in (CHARLIE, RITA):
        assert panel.client_of(person).get("/applications/demo/").status_code == 404
    assert panel.client_of(CHARLIE).get("/organisations/moon/members/").status_code == 404


def test_lists_leave_its_applications_out_and_say_so(panel: Panel) -> None:
    require(panel)
    for person, path in ((ALICE, "/applications/"), (EVE, "/sites/")):
        page = panel.client_of(person).get(path).text
        assert "Not shown: what belongs to Moon" in page
        assert "/applications/demo/" not in page and "/sites/demo/" not in page
    give_second_factor(panel, ALICE)
    page = panel.client_of(ALICE, has_second_factor=True).get("/applications/").text
    assert "/applications/demo/" in page and "Not shown" not in page
    assert "Not shown" in panel.client_of(ALICE).get("/applications/").text, "not shown here"


def test_rights_and_lists_are_empty_outside_of_browsers_too(panel: Panel) -> None:
    require(panel)
    for person in (ALICE, BOB, EVE):
        with panel.reading():
            user = user_of(person)
            assert rights_on(application(), user) == frozenset()
            assert not db.session.scalars(list_sites(user)).all()
    give_second_factor(panel, BOB)
    with panel.reading():
        assert Permission.APPLICATION_READ in rights_on(application(), user_of(BOB))
        assert len(db.session.scalars(list_applications(user_of(BOB))).all()) == 1


def test_git_refuses_with_a_sentence(panel: Panel) -> None:
    require(panel)
    with pytest.raises(SecondFactorNeeded, match="Moon asks its members"), panel.reading():
        authorise_git(user_of(ALICE), "demo", GitService.UPLOAD_PACK)
    path = "/git/demo.git/info/refs?service=git-upload-pack"
    with panel.work():
        token = create_access_token(user_of(ALICE), "Laptop")[1]
    basic = base64.b64encode(f"{ALICE.email}:{token}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    refused = panel.app.test_client().get(path, headers=headers)
    assert refused.status_code == 403 and "Set one up on your account pages" in refused.text
    give_second_factor(panel, ALICE)
    with panel.app.test_client().get(path, headers=headers) as answer:
        assert answer.status_code == 200


def test_no_application_is_made_in_it_or_given_to_it(panel: Panel) -> None:
    with panel.work():
        organisation("adam").requires_second_factor = True
    adam = panel.client_of(ADAM)
    data = {"organisation": "adam", "name": "New", "slug": "new-one", "starter": "blank"}
    assert adam.post("/applications/new/", data=data).status_code == 403
    given = adam.post("/applications/demo/transfer/", data={"organisation": "adam"})
    assert given.status_code == 400


def test_every_route_of_it_is_closed(panel_template: object, tmp_path: object) -> None:
    """Generated: whoever could do it yesterday is asked for the second factor today."""
    panel = busy_panel(panel_template, tmp_path / "data")  # type: ignore[arg-type, operator]
    require(panel)
    alice, asked = panel.client_of(ALICE), 0
    for rule, method in guarded(panel.app):
        about = about_of(panel.app, rule)
        if about not in (About.APPLICATION, About.ORGANISATION):
            continue
        if permission_of(panel.app, rule) == Permission.ACCOUNT_OWN:
            continue  # leaving tells nothing and is always allowed
        with panel.reading():
            path = str(rule.build(dict(values(rule, On.OWN)), append_unknown=False)[1])  # type: ignore[index]
        answer = alice.open(path, method=method, data=form(rule.endpoint, ALICE, On.OWN))
        assert answer.status_code == 403 and "second factor" in answer.text, (method, path)
        asked += 1
    panel.close()
    assert asked > 60


def test_a_collaborator_cannot_be_slipped_past_it(panel: Panel) -> None:
    """Being given access is no second factor."""
    require(panel)
    with panel.work():
        add_collaborator(application(), RITA.email, Access.COLLABORATOR, user_of(ALICE))
    assert panel.client_of(RITA).get("/applications/demo/").status_code == 403


def test_a_sentence_for_the_operation_itself(panel: Panel) -> None:
    with pytest.raises(Invalid, match="locked out"), panel.work():
        require_second_factor(organisation(), True, user_of(ALICE))
