"""Who belongs to an organisation, and that it never loses its last owner."""

from __future__ import annotations

import pytest

from app.applications.queries import list_applications, rights_on
from app.errors import Invalid, NotAllowed
from app.extensions import db
from app.organisations.models import Member
from app.organisations.operations import (
    add_member,
    change_role,
    create_organisation,
    remove_member,
    rename_organisation,
)
from app.organisations.queries import count_owners, find_member, find_organisation
from app.permissions import Role
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    RITA,
    Panel,
    Person,
    application,
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
    added = browser.post(page, data={"email": CHARLIE.email, "role": "regular"})
    assert added.status_code == 303
    with panel.reading():
        number = member(CHARLIE).id
    assert browser.post(f"{page}{number}/role/", data={"role": "administrator"}).status_code == 303
    assert panel.client_of(CHARLIE).get("/applications/demo/").status_code == 200
    assert browser.post(f"{page}{number}/role/", data={"role": "emperor"}).status_code == 400
    assert browser.post(f"{page}{number}/remove/").status_code == 303
    assert panel.client_of(CHARLIE).get("/applications/demo/").status_code == 404


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
