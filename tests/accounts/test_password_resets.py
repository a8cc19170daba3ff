"""A forgotten password: a link by mail, once, for an hour; nobody learns who has an account."""

from __future__ import annotations

import datetime
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.accounts import jobs
from app.accounts.models import PasswordReset, SignIn
from app.accounts.operations import check_password
from app.accounts.password_resets import SEND_JOB
from app.extensions import db, now
from app.mails.jobs import deliver
from app.mails.models import Mail
from tests.panel import ALICE, BOB, PASSWORD, Panel, Person, user_of

NEW = "another long password"


def ask(panel: Panel, email: str, address: str = "10.0.0.1") -> str:
    """What the page answers to who has forgotten the password of `email`."""
    answer = panel.client().post(
        "/account/forgotten-password/",
        data={"email": email},
        environ_base={"REMOTE_ADDR": address},
    )
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def work(panel: Panel) -> None:
    """What the workers do meanwhile."""
    with panel.reading():
        for function, arguments in panel.queue.jobs:
            if function == SEND_JOB:
                jobs.send_password_reset(str(arguments[0]))
        panel.queue.jobs.clear()
        for number in db.session.scalars(select(Mail.id)).all():
            deliver(number)


def link_for(panel: Panel, person: Person) -> str:
    """The path in the newest mail."""
    ask(panel, person.email)
    work(panel)
    return newest_link(panel)


def newest_link(panel: Panel) -> str:
    found = re.search(r"http://localhost:8000(/account/reset-password/\S+)", newest(panel))
    assert found
    return found[1]


def newest(panel: Panel) -> str:
    return panel.mailer.letters[-1].text


def choose(client: FlaskClient, link: str, password: str = NEW) -> int:
    """Open the link and choose a password, as a browser does."""
    opened = client.get(link)
    assert opened.status_code == 303 and "reset-password" in opened.location
    answer = client.post(opened.location, data={"password": password})
    return answer.status_code


def test_the_link_gives_a_new_password_once(panel: Panel) -> None:
    link = link_for(panel, ALICE)
    assert choose(panel.client(), link) == 303
    with panel.reading():
        assert check_password(ALICE.email, NEW)
        assert check_password(ALICE.email, PASSWORD) is None
    assert choose(panel.client(), link, "yet another password") == 404
    with panel.reading():
        assert check_password(ALICE.email, NEW)


def test_the_letter_says_who_writes_and_what_to_do(panel: Panel) -> None:
    link_for(panel, ALICE)
    letter = panel.mailer.letters[-1]
    assert letter.recipient == ALICE.email
    assert "Moonbase at localhost" in letter.subject and "Moonbase at localhost" in letter.text
    assert "If that was not you, do nothing" in letter.text
    assert letter.text.count("http") == 1 and "?" not in newest_link(panel)


def test_every_browser_is_signed_out_and_told(panel: Panel) -> None:
    browser, other = panel.client_of(ALICE), panel.client_of(BOB)
    assert browser.get("/account/").status_code == 200
    assert choose(panel.client(), link_for(panel, ALICE)) == 303
    assert browser.get("/account/").status_code == 302
    assert other.get("/account/").status_code == 200
    with panel.reading():
        alice = user_of(ALICE).id
        assert db.session.scalar(select(func.count()).where(SignIn.user_id == alice)) == 0
    work(panel)
    assert "new password was chosen" in newest(panel)


def test_the_second_factor_is_still_asked_for(panel: Panel) -> None:
    with panel.work():
        user_of(ALICE).totp_secret = "JBSWY3DPEHPK3PXP"
    client = panel.client()
    assert choose(client, link_for(panel, ALICE)) == 303
    answer = client.post("/account/sign-in/", data={"email": ALICE.email, "password": NEW})
    assert answer.status_code == 303
    assert client.get("/account/").status_code == 302, "the password alone opens nothing"


def test_only_the_newest_link_works(panel: Panel) -> None:
    first = link_for(panel, ALICE)
    panel.queue.keys.clear()
    second = link_for(panel, ALICE)
    assert first != second
    assert choose(panel.client(), first) == 404
    assert choose(panel.client(), second) == 303


def test_the_link_ends_after_an_hour(panel: Panel) -> None:
    link = link_for(panel, ALICE)
    with panel.work():
        row = db.session.scalars(select(PasswordReset)).one()
        left = row.expires_at - now()
        assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
        row.expires_at = now()
    client = panel.client()
    assert choose(client, link) == 404
    assert "This link has ended" in client.get("/account/reset-password/").text


def test_looking_at_the_link_uses_nothing_up(panel: Panel) -> None:
    link = link_for(panel, ALICE)
    for _ in range(3):
        assert panel.client().get(link, follow_redirects=True).status_code == 200
    assert choose(panel.client(), link) == 303


@pytest.mark.parametrize("token", ["made-up", "x" * 5000, "%00"])
def test_a_made_up_link_is_none(panel: Panel, token: str) -> None:
    assert choose(panel.client(), f"/account/reset-password/{token}/") == 404


def test_the_token_leaks_through_no_referrer_page_or_row(panel: Panel) -> None:
    link = link_for(panel, ALICE)
    token = link.split("/")[-2]
    client = panel.client()
    opened = client.get(link)
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert token not in opened.location
    page = client.get(opened.location)
    assert token not in page.text and page.headers["Referrer-Policy"] == "same-origin"
    for file in (panel.settings.data_dir / "panel").iterdir():
        assert token.encode() not in file.read_bytes()


def test_a_short_password_is_refused_and_the_link_still_good(panel: Panel) -> None:
    link, client = link_for(panel, ALICE), panel.client()
    assert choose(client, link, "short") == 200
    assert choose(client, link) == 303


def test_the_answer_does_not_tell_who_has_an_account(panel: Panel) -> None:
    known, unknown = ask(panel, ALICE.email), ask(panel, "nobody@example.com")
    assert known.replace(ALICE.email, "…") == unknown.replace("nobody@example.com", "…")
    assert "a link is on its way" in known
    # Nothing else happens before the answer: the time tells nothing either.
    with panel.reading():
        assert db.session.scalar(select(func.count(Mail.id))) == 0
    assert [name for name, _ in panel.queue.jobs] == [SEND_JOB, SEND_JOB]
    work(panel)
    assert [letter.recipient for letter in panel.mailer.letters] == [ALICE.email]


def test_what_is_no_address_is_said_to_be_none(panel: Panel) -> None:
    assert "not an e-mail address" in ask(panel, "nobody")
    assert panel.queue.jobs == []


def test_a_queue_that_is_down_is_told_to_everybody(panel: Panel) -> None:
    panel.queue.is_down = True
    assert ask(panel, ALICE.email) == ask(panel, "nobody@example.com") == "503"


def test_one_account_gets_no_flood_of_mails(panel: Panel) -> None:
    answers = [ask(panel, ALICE.email.upper(), f"10.0.1.{n}") for n in range(6)]
    assert answers[-1] == "429" and "429" not in answers[:-1]
    assert ask(panel, BOB.email, "10.0.1.99") != "429"


def test_one_address_cannot_try_many_accounts(panel: Panel) -> None:
    answers = [ask(panel, f"n{n}@example.com") for n in range(21)]
    assert answers[-1] == "429" and "429" not in answers[:-1]


def test_the_sign_in_page_leads_there(panel: Panel) -> None:
    assert 'href="/account/forgotten-password/"' in panel.client().get("/account/sign-in/").text
