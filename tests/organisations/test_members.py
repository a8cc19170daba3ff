"""Who belongs to an organisation, and that it never loses its last owner."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from app.accounts.operations import create_user
from app.applications.operations import add_collaborator
from app.applications.queries import (
    list_applications,
    list_collaborators,
    list_sites,
    rights_on,
)
from app.deployments.operations import request_deployment
from app.errors import Invalid, NotAllowed
from app.extensions import db
from app.organisations.invitations import invite
from app.organisations.models import Member
from app.organisations.operations import (
    add_member,
    change_role,
    create_organisation,
    remove_member,
    rename_organisation,
)
from app.organisations.queries import count_owners, find_member, find_organisation
from app.permissions import EDIT, Access, Permission, Role
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    EVE,
    PASSWORD,
    RITA,
    Panel,
    Person,
    application,
    environment,
    organisation,
    user_of,
)


def member(person: Person) -> Member:
    found = find_member(organisation().id, user_of(person).id)
    assert found is not None
    return found


def test_signing_up_founds_an_organisation(panel: Panel) -> None:
    with panel.reading():
        own = organisation("alice")
        assert [(row.user.name, row.role) for row in own.members] == [("Alice", Role.OWNER)]


def test_slugs_are_made_free(panel: Panel) -> None:
    with panel.work():
        slugs = [create_organisation(name, user_of(CHARLIE)).slug for name in ("Moon", "月", "月")]
    assert slugs == ["moon-2", "team", "team-2"]
    with panel.work():
        long = [create_organisation("x" * 60, user_of(CHARLIE)).slug for _ in range(3)]
    assert len(set(long)) == 3 and all(len(slug) <= 40 for slug in long)


def test_the_last_owner_stays(panel: Panel) -> None:
    with pytest.raises(Invalid, match="last owner"), panel.work():
        remove_member(member(ALICE), user_of(ALICE))
    with pytest.raises(Invalid, match="last owner"), panel.work():
        change_role(member(ALICE), Role.ADMINISTRATOR, user_of(ALICE))
    with panel.work():
        change_role(member(ADAM), Role.OWNER, user_of(ALICE))
        remove_member(member(ALICE), user_of(ALICE))
    with panel.reading():
        assert count_owners(organisation().id) == 1
        assert find_member(organisation().id, user_of(ALICE).id) is None


def test_administrators_do_not_touch_owners_or_make_them(panel: Panel) -> None:
    for role, person in ((Role.OWNER, BOB), (Role.REGULAR, ALICE)):
        with pytest.raises(NotAllowed, match="Only owners"), panel.work():
            change_role(member(person), role, user_of(ADAM))
    with pytest.raises(NotAllowed, match="Only owners"), panel.work():
        remove_member(member(ALICE), user_of(ADAM))
    with pytest.raises(NotAllowed, match="Only owners"), panel.work():
        add_member(organisation(), CHARLIE.email, Role.OWNER, user_of(ADAM))


def test_administrators_remove_others_but_not_themselves(panel: Panel) -> None:
    with pytest.raises(NotAllowed, match="cannot remove themselves"), panel.work():
        remove_member(member(ADAM), user_of(ADAM))
    with panel.work():
        remove_member(member(BOB), user_of(ADAM))
    with panel.reading():
        assert not rights_on(application(), user_of(BOB))
        assert not db.session.scalars(list_applications(user_of(BOB))).all()


def test_a_member_is_added_once_and_must_have_an_account(panel: Panel) -> None:
    with pytest.raises(Invalid, match="is a member already"), panel.work():
        add_member(organisation(), BOB.email.upper(), Role.REGULAR, user_of(ALICE))
    with pytest.raises(Invalid, match="Nobody has signed up"), panel.work():
        add_member(organisation(), "nobody@example.com", Role.REGULAR, user_of(ALICE))


def test_a_removed_person_is_out_at_their_next_click(panel: Panel) -> None:
    browser = panel.client_of(ADAM)
    assert browser.get("/applications/demo/").status_code == 200
    with panel.work():
        remove_member(member(ADAM), user_of(ALICE))
    assert browser.get("/applications/demo/").status_code == 404


def test_members_are_changed_on_their_page(panel: Panel) -> None:
    browser = panel.client_of(ALICE)
    page = "/organisations/moon/members/"
    with panel.reading():
        number = member(RITA).id
    assert browser.post(f"{page}{number}/role/", data={"role": "administrator"}).status_code == 303
    assert panel.client_of(RITA).get("/applications/demo/").status_code == 200
    assert browser.post(f"{page}{number}/role/", data={"role": "emperor"}).status_code == 400
    assert browser.post(f"{page}{number}/remove/").status_code == 303
    assert panel.client_of(RITA).get("/applications/demo/").status_code == 404
    assert browser.post(f"{page}{number}/remove/").status_code == 404


def test_a_member_of_another_organisation_is_not_there(panel: Panel) -> None:
    with panel.reading():
        own = find_organisation("charlie")
        assert own
        number = own.members[0].id
    for act in ("role", "remove"):
        path = f"/organisations/moon/members/{number}/{act}/"
        assert panel.client_of(ALICE).post(path, data={"role": "regular"}).status_code == 404


def test_a_regular_member_sees_what_they_were_given(panel: Panel) -> None:
    with panel.reading():
        seen = {
            person.name: [
                row.slug for row in db.session.scalars(list_applications(user_of(person)))
            ]
            for person in (ALICE, ADAM, BOB, RITA, CHARLIE)
        }
    assert seen == {
        "Alice": ["demo"],
        "Adam": ["demo"],
        "Bob": ["demo"],
        "Rita": [],
        "Charlie": ["other"],
    }


def test_a_renamed_organisation_keeps_its_address(panel: Panel) -> None:
    with panel.work():
        rename_organisation(organisation(), "  Big   Moon ", user_of(ALICE))
    with panel.reading():
        assert organisation("moon").name == "Big Moon"


def test_leaving_leads_to_ones_other_organisations(panel: Panel) -> None:
    for person, path in ((BOB, "leave/"), (EVE, "leave/")):
        browser = panel.client_of(person)
        left = browser.post(f"/organisations/moon/{path}")
        assert left.status_code == 303 and left.location.endswith("/organisations/")
        assert "You are not a member any more." in browser.get(left.location).text
        assert browser.get("/applications/demo/").status_code == 404


def test_an_owner_who_removes_themselves_gets_an_answer(panel: Panel) -> None:
    with panel.work():
        change_role(member(ADAM), Role.OWNER, user_of(ALICE))
        number = member(ALICE).id
    browser = panel.client_of(ALICE)
    left = browser.post(f"/organisations/moon/members/{number}/remove/")
    assert left.location.endswith("/organisations/")
    assert browser.get(left.location).status_code == 200


def test_who_may_not_leave_stays(panel: Panel) -> None:
    assert panel.client_of(ADAM).post("/organisations/moon/leave/").status_code == 403
    assert panel.client_of(ALICE).post("/organisations/moon/leave/").status_code == 400
    assert panel.client_of(CHARLIE).post("/organisations/moon/leave/").status_code == 404
    with panel.reading():
        assert member(ADAM) and member(ALICE)


def test_a_page_of_members_asks_the_same_of_the_database_for_any_number(panel: Panel) -> None:
    few = count_queries(panel, "/organisations/moon/members/")
    with panel.work():
        for number in range(30):
            person = create_user(f"new{number}@example.com", f"New {number}", PASSWORD)
            add_member(organisation(), person.email, Role.REGULAR, user_of(ALICE))
            add_collaborator(application(), person.email, Access.VIEWER, user_of(ALICE))
            invite(organisation(), f"asked{number}@example.com", Role.REGULAR, user_of(ALICE))
    assert count_queries(panel, "/organisations/moon/members/") == few
    assert count_queries(panel, "/applications/demo/collaborators/") < 25


def count_queries(panel: Panel, path: str) -> int:
    """How many statements Alice's second look at a page needs."""
    browser = panel.client_of(ALICE)
    browser.get(path)
    statements = []
    with panel.app.app_context():
        engine = db.engine

    def note(*arguments: object) -> None:
        statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert browser.get(path).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(statements)


def test_a_removed_members_deployment_goes_on_and_their_page_is_gone(panel: Panel) -> None:
    site.commit(panel)
    with panel.work():
        row = request_deployment(environment(), panel.store, user_of(DORA))
        number, uuid = row.id, row.uuid
    browser = panel.client_of(DORA)
    page = f"/applications/demo/deployments/{uuid}/"
    assert browser.get(page).status_code == 200
    with panel.work():
        remove_member(member(DORA), user_of(ALICE))
    assert site.run(panel, number).status == "succeeded"
    for path in (page, f"{page}state/", f"{page}log/", "/applications/demo/"):
        assert browser.get(path).status_code == 404
    assert "Dora" in panel.client_of(ALICE).get(page).text


def test_a_site_editor_keeps_their_content_whatever_they_were_given_before(panel: Panel) -> None:
    with panel.work():
        change_role(member(DORA), Role.SITE_EDITOR, user_of(ALICE))
    with panel.reading():
        assert rights_on(application(), user_of(DORA)) == EDIT
        assert not db.session.scalars(list_applications(user_of(DORA))).all()
        assert [row.slug for row in db.session.scalars(list_sites(user_of(DORA)))] == ["demo"]
        shown = {
            row.collaborator.user.name: row.access for row in list_collaborators(application().id)
        }
        assert shown == {"Dora": "editor", "Bob": "viewer", "Eve": "editor"}
    assert panel.client_of(DORA).get("/applications/demo/").status_code == 403
    with panel.work():
        change_role(member(EVE), Role.REGULAR, user_of(ALICE))
    with panel.reading():  # more than a look at content has to be given anew
        assert Permission.APPLICATION_READ not in rights_on(application(), user_of(EVE))
