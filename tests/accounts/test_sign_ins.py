"""Where people are signed in: rows that end by themselves, one by one, or all but this."""

from __future__ import annotations

import datetime

import pytest
from flask.testing import FlaskClient
from flask_login import current_user

from app.accounts.agents import describe_agent
from app.accounts.models import SignIn
from app.accounts.sessions import leave
from app.accounts.sign_ins import IDLE, KEPT, Visitor, end_sign_ins, list_sign_ins, open_sign_in
from app.audit.models import AuditLine
from app.extensions import db, now
from app.mails.models import Mail
from tests.panel import ALICE, BOB, PASSWORD, Panel, user_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
PAGE = "/account/sessions/"
HOME = "/applications/"


def signs_in(
    panel: Panel, agent: str = FIREFOX, address: str = "192.0.2.7", *, is_kept: bool = False
) -> FlaskClient:
    """Alice's browser after the form."""
    browser = panel.client()
    browser.environ_base["HTTP_USER_AGENT"] = agent
    browser.environ_base["REMOTE_ADDR"] = address
    data = {"email": ALICE.email, "password": PASSWORD} | ({"remember": "y"} if is_kept else {})
    assert browser.post("/account/sign-in/", data=data).status_code == 303
    return browser


def is_in(browser: FlaskClient) -> bool:
    return browser.get(PAGE).status_code == 200


def only_row() -> SignIn:
    """Inside `reading()` or `work()`."""
    return db.session.scalars(db.select(SignIn)).one()


def cookie_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("session")
    assert cookie is not None
    return cookie.value


def test_signing_in_makes_a_row_without_the_key(panel: Panel) -> None:
    browser = signs_in(panel)
    with browser.session_transaction() as session:
        key = session["_user_id"]
    with panel.reading():
        row = only_row()
        assert row.user.email == ALICE.email
        assert (row.address, row.agent, row.second_factor_at) == ("192.0.2.7", FIREFOX, None)
        assert len(key) >= 43 and key not in row.key_hash and len(row.key_hash) == 64
        assert row.expires_at - row.seen_at == IDLE
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "account.sign_in")
        ).one()
        assert (line.subject, line.address) == (ALICE.email, "192.0.2.7")


def test_signing_out_kills_a_stolen_cookie(panel: Panel) -> None:
    browser, thief = signs_in(panel), panel.client()
    thief.set_cookie("session", cookie_of(browser))
    assert is_in(thief)
    assert browser.post("/account/sign-out/").status_code == 303
    assert not is_in(browser) and not is_in(thief)
    with panel.reading():
        assert db.session.scalars(db.select(SignIn)).all() == []


def test_signing_out_twice_at_once_is_signing_out(panel: Panel) -> None:
    """The second request was let in just before the first one took the row away."""
    browser = signs_in(panel)
    headers = {"Cookie": f"session={cookie_of(browser)}"}
    with panel.app.test_request_context("/account/sign-out/", method="POST", headers=headers):
        assert current_user.is_authenticated
        assert browser.post("/account/sign-out/").status_code == 303
        leave()
        assert not current_user.is_authenticated
    with panel.reading():
        assert db.session.scalars(db.select(SignIn)).all() == []


def test_a_made_up_key_opens_nothing(panel: Panel) -> None:
    for key in ("", "1", f"1.{'a' * 22}", "x" * 43):
        browser = panel.client()
        with browser.session_transaction() as session:
            session["_user_id"] = key
        assert not is_in(browser)


def test_a_browser_that_is_kept_has_a_cookie_with_an_end(panel: Panel) -> None:
    kept, passing = signs_in(panel, is_kept=True), signs_in(panel)
    cookie = kept.get_cookie("session")
    assert cookie is not None and cookie.expires is not None
    assert abs(cookie.expires - (now() + KEPT)) < datetime.timedelta(minutes=1)
    other = passing.get_cookie("session")
    assert other is not None and other.expires is None


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_sign_in_lasts_while_it_is_used(panel: Panel, is_kept: bool) -> None:
    lasts = KEPT if is_kept else IDLE
    browser = signs_in(panel, is_kept=is_kept)
    almost = lasts - datetime.timedelta(minutes=1)
    for _ in range(3):
        age(panel, almost)
        assert is_in(browser)
    with panel.reading():
        row = only_row()
        assert row.expires_at - row.seen_at == lasts
    age(panel, lasts)
    assert not is_in(browser)


def age(panel: Panel, time: datetime.timedelta) -> None:
    """As if the only sign-in had been left alone for so long."""
    with panel.work():
        row = only_row()
        row.seen_at -= time
        row.expires_at -= time


def test_a_visit_is_written_down_every_five_minutes_only(panel: Panel) -> None:
    browser = signs_in(panel)
    age(panel, datetime.timedelta(minutes=4))
    with panel.reading():
        before = only_row().seen_at
    assert is_in(browser)
    with panel.reading():
        assert only_row().seen_at == before
    age(panel, datetime.timedelta(minutes=2))
    assert is_in(browser)
    with panel.reading():
        assert now() - only_row().seen_at < datetime.timedelta(minutes=1)


def test_a_page_that_refreshes_itself_is_nobodys_presence(panel: Panel) -> None:
    browser = signs_in(panel)
    age(panel, datetime.timedelta(minutes=6))
    with panel.reading():
        before = only_row().seen_at
    assert browser.get(HOME, headers={"Sec-Fetch-Dest": "empty"}).status_code == 200
    with panel.reading():
        assert only_row().seen_at == before
    assert browser.get(HOME, headers={"Sec-Fetch-Dest": "document"}).status_code == 200
    with panel.reading():
        assert only_row().seen_at > before


def test_a_page_is_shown_though_the_visit_cannot_be_noted(panel: Panel) -> None:
    browser = signs_in(panel)
    age(panel, datetime.timedelta(minutes=6))
    refuse = "CREATE TRIGGER full BEFORE UPDATE ON sign_ins BEGIN SELECT RAISE(ABORT, 'disk'); END"
    with panel.work():
        db.session.execute(db.text(refuse))
    assert is_in(browser)
    with panel.reading():
        assert now() - only_row().seen_at > datetime.timedelta(minutes=5)


def test_what_has_ended_is_cleaned_at_the_next_sign_in(panel: Panel) -> None:
    signs_in(panel)
    panel.client_of(BOB)
    with panel.work():
        for row in db.session.scalars(db.select(SignIn)):
            row.expires_at = now()
    signs_in(panel, PHONE)
    with panel.reading():
        agents = db.session.scalars(db.select(SignIn.agent).order_by(SignIn.id)).all()
        assert agents == ["", PHONE], "Bob's is cleaned when he comes back"


def test_signing_in_anew_ends_the_sign_in_before(panel: Panel) -> None:
    browser = signs_in(panel)
    data = {"email": BOB.email, "password": PASSWORD}
    assert browser.post("/account/sign-in/", data=data).status_code == 303
    with panel.reading():
        assert only_row().user.email == BOB.email


# The page -------------------------------------------------------------------------------------


def test_the_page_lists_browsers_in_plain_words(panel: Panel) -> None:
    here = signs_in(panel)
    signs_in(panel, PHONE, "198.51.100.4")
    text = here.get(PAGE).text
    assert "Firefox on Linux" in text and "Safari on iPhone" in text
    assert "192.0.2.7" in text and "198.51.100.4" in text
    assert text.count("This browser") == 1


def test_one_browser_is_signed_out(panel: Panel) -> None:
    here, there = signs_in(panel), signs_in(panel, PHONE)
    with panel.reading():
        uuid = db.session.scalars(db.select(SignIn.uuid).where(SignIn.agent == PHONE)).one()
    assert here.post(f"{PAGE}{uuid}/sign-out/").status_code == 303
    assert is_in(here) and not is_in(there)
    assert here.post(f"{PAGE}{uuid}/sign-out/").status_code == 404


def test_nobody_signs_somebody_else_out(panel: Panel) -> None:
    alice, bob = signs_in(panel), panel.client_of(BOB)
    with panel.reading():
        uuid = list_sign_ins(user_of(ALICE))[0].uuid
    assert bob.post(f"{PAGE}{uuid}/sign-out/").status_code == 404
    assert panel.client().post(f"{PAGE}{uuid}/sign-out/").status_code == 302
    bob.post(f"{PAGE}sign-out-others/")
    assert is_in(alice) and uuid not in bob.get(PAGE).text


def test_all_others_are_signed_out(panel: Panel) -> None:
    here, *others = [signs_in(panel) for _ in range(4)]
    assert here.post(f"{PAGE}sign-out-others/").status_code == 303
    assert is_in(here) and not any(map(is_in, others))


def test_a_changed_password_signs_the_others_out_and_is_told_by_mail(panel: Panel) -> None:
    here, there = signs_in(panel, is_kept=True), signs_in(panel, is_kept=True)
    data = {"present": PASSWORD, "password": "another long password"}
    assert here.post("/account/password/", data=data).status_code == 303
    assert is_in(here) and not is_in(there)
    with panel.reading():
        mail = db.session.scalars(db.select(Mail)).one()
        assert mail.recipient == ALICE.email and "password" in mail.subject
        assert "another long password" not in mail.text and PAGE in mail.text


def test_the_agent_is_cut_and_cleaned(panel: Panel) -> None:
    with panel.work():
        open_sign_in(user_of(ALICE), Visitor("::1", "a\0b\x1b[31m" + "x" * 1000))
    with panel.reading():
        assert only_row().agent == ("ab[31m" + "x" * 1000)[:200]
    with panel.work():
        assert end_sign_ins(user_of(ALICE)) == 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
            "Gecko) Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "An unknown browser"),
    ],
)
def test_agents_in_plain_words(panel: Panel, agent: str, words: str) -> None:
    with panel.app.test_request_context():
        assert describe_agent(agent) == words
