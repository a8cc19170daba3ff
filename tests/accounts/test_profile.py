"""What a person says of themselves, and the change of their address."""

from __future__ import annotations

import datetime
import re

import pytest
from sqlalchemy import select

from app.accounts.models import EmailChange, FailureNotices, PasswordReset
from app.accounts.password_resets import send_password_reset
from app.accounts.queries import find_user
from app.extensions import db, now
from app.mails.jobs import deliver
from app.mails.models import Mail
from app.organisations.operations import sign_up
from tests.panel import ALICE, BOB, CHARLIE, PASSWORD, Panel, Person, user_of

NEW = "alice@new.example"
PROFILE = {
    "name": "Alice A.",
    "time_zone": "Europe/Zurich",
    "language": "en",
    "failure_notices": "all",
}


def letters(panel: Panel) -> dict[str, str]:
    """The newest letter to each address, after the workers had their turn."""
    with panel.reading():
        for number in db.session.scalars(select(Mail.id)).all():
            deliver(number)
    return {letter.recipient: letter.text for letter in panel.mailer.letters}


def wish(panel: Panel, email: str = NEW, password: str = PASSWORD, by: Person = ALICE) -> str:
    """Ask for another address; returns the page or the status."""
    answer = panel.client_of(by).post(
        "/account/email/", data={"email": email, "password": password}
    )
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def link(panel: Panel) -> str:
    found = re.search(r"http://localhost:8000(/account/email/\S+)", letters(panel)[NEW])
    assert found
    return found[1]


def email_of(panel: Panel, email: str) -> bool:
    with panel.reading():
        return find_user(email) is not None


def test_the_profile_is_saved(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    assert client.post("/account/", data=PROFILE).status_code == 303
    with panel.reading():
        alice = user_of(ALICE)
        assert (alice.name, alice.time_zone, alice.language) == ("Alice A.", "Europe/Zurich", "en")
        assert alice.failure_notices == FailureNotices.ALL


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_zone", "Mars/Base"), ("language", "tlh"), ("failure_notices", "some"), ("name", " ")],
)
def test_what_cannot_be_is_refused(panel: Panel, field: str, value: str) -> None:
    answer = panel.client_of(ALICE).post("/account/", data={**PROFILE, field: value})
    assert answer.status_code == 200
    with panel.reading():
        assert user_of(ALICE).name == "Alice"


def test_a_zone_is_found_however_it_is_typed(panel: Panel) -> None:
    data = {**PROFILE, "time_zone": "america/new york"}
    assert panel.client_of(ALICE).post("/account/", data=data).status_code == 303
    with panel.reading():
        assert user_of(ALICE).time_zone == "America/New_York"


def test_pages_say_which_language_they_are_in(panel: Panel) -> None:
    assert '<html lang="en">' in panel.client_of(ALICE).get("/account/").text
    klingon = {"Accept-Language": "tlh, de;q=0.5"}
    assert '<html lang="en">' in panel.client().get("/account/sign-in/", headers=klingon).text


def test_a_new_address_is_confirmed_from_its_mailbox(panel: Panel) -> None:
    assert wish(panel) == "303"
    assert email_of(panel, ALICE.email) and not email_of(panel, NEW)
    assert "another address: alice@new.example" in letters(panel)[ALICE.email]
    path, client = link(panel), panel.client_of(ALICE)
    assert NEW in client.get("/account/").text, "the profile shows what waits"
    assert client.get(path).status_code == 200
    assert email_of(panel, ALICE.email), "looking changes nothing"
    assert client.post(path).status_code == 303
    assert email_of(panel, NEW) and not email_of(panel, ALICE.email)
    assert "has another address now" in letters(panel)[ALICE.email]
    assert client.post(path).status_code == 404, "once"


def test_the_link_is_its_persons_only(panel: Panel) -> None:
    wish(panel)
    path = link(panel)
    assert panel.client().get(path).status_code == 302
    for stranger in (BOB, CHARLIE):
        assert panel.client_of(stranger).get(path).status_code == 404
        assert panel.client_of(stranger).post(path).status_code == 404
    assert email_of(panel, ALICE.email)


def test_the_link_ends_after_a_day_and_with_a_newer_wish(panel: Panel) -> None:
    wish(panel)
    first = link(panel)
    wish(panel)
    second = link(panel)
    client = panel.client_of(ALICE)
    assert client.post(first).status_code == 404
    with panel.work():
        row = db.session.scalars(select(EmailChange)).one()
        assert row.expires_at - now() <= datetime.timedelta(days=1)
        row.expires_at = now()
    assert client.post(second).status_code == 404


def test_the_password_is_asked_for(panel: Panel) -> None:
    assert "not your password" in wish(panel, password="wrong password")
    assert letters(panel) == {}


def test_an_address_in_use_is_told_to_its_owner_only(panel: Panel) -> None:
    assert wish(panel, BOB.email) == wish(panel, NEW) == "303"
    assert "an account with this address already" in " ".join(letters(panel)[BOB.email].split())
    assert "/account/email/" not in letters(panel)[BOB.email]


def test_an_address_that_was_taken_meanwhile_stays_its_owners(panel: Panel) -> None:
    wish(panel)
    path = link(panel)
    with panel.work():
        sign_up(NEW, "Eve", PASSWORD)
    assert panel.client_of(ALICE).post(path).status_code == 404
    assert email_of(panel, ALICE.email)


def test_a_reset_link_that_went_to_the_old_address_is_dead(panel: Panel) -> None:
    wish(panel)
    with panel.work():
        send_password_reset(ALICE.email)
    assert panel.client_of(ALICE).post(link(panel)).status_code == 303
    with panel.reading():
        assert db.session.scalars(select(PasswordReset)).all() == []


def test_wishes_are_throttled(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    data = {"email": NEW, "password": "wrong password"}
    codes = [client.post("/account/email/", data=data).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
