"""Budgets that several pages share."""

from __future__ import annotations

from app.organisations.invitations import invite
from app.permissions import Role
from tests.panel import ALICE, Panel, organisation, user_of

WRONG = {"password": "wrong", "present": "wrong", "name": "Alice", "email": "new@example.com"}


def test_a_password_is_guessed_on_no_page_more_often_than_on_one(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    pages = ("/account/password/", "/account/delete/", "/account/email/")
    statuses = [alice.post(pages[number % 3], data=WRONG).status_code for number in range(8)]
    assert 429 not in statuses
    for page in (*pages, "/account/passkeys/options/"):
        assert alice.post(page, data=WRONG).status_code == 429
    with panel.reading():
        assert user_of(ALICE).email == ALICE.email


def test_looking_at_the_page_costs_nothing(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    assert {alice.get("/account/password/").status_code for _ in range(12)} == {200}


def test_one_person_s_invitations_have_one_budget(panel: Panel) -> None:
    """60 an hour, whether sent or sent again."""
    with panel.work():
        uuid = invite(organisation(), "anna@example.com", Role.REGULAR, user_of(ALICE)).uuid
    alice = panel.client_of(ALICE)
    again = f"/organisations/moon/invitations/{uuid}/resend/"
    first = [alice.post(again).status_code for _ in range(40)]
    assert 429 not in first
    form = {"email": "no address", "role": "regular"}
    second = [
        alice.post("/organisations/moon/invitations/", data=form).status_code for _ in range(21)
    ]
    assert second[:20].count(429) == 0 and second[20] == 429
