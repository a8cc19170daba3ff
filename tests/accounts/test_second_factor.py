"""The second factor: nobody passes with the password alone, and no code passes twice."""

from __future__ import annotations

import datetime
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.accounts import second_factor
from app.accounts.access import second_factor_is_shown
from app.accounts.models import RecoveryCode, SignIn
from app.accounts.second_factor import Shown, accept_second_factor, add_authenticator
from app.accounts.sessions import HALF_SECONDS
from app.errors import Invalid
from app.extensions import db, now
from app.mails.models import Mail
from tests.panel import (
    ALICE,
    BOB,
    PASSWORD,
    Panel,
    Person,
    user_of,
)

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP = "/account/sign-in/second-step/"
OVERVIEW = "/account/second-factor/"
APP = "/account/second-factor/app/"
HOME = "/applications/"


@pytest.fixture(params=["sqlite", "postgresql"])
def either_panel(request: pytest.FixtureRequest) -> Panel:
    """A panel over either kind of database, with Alice."""
    name = "panel" if request.param == "sqlite" else "settled_postgresql_panel"
    panel: Panel = request.getfixturevalue(name)
    return panel


def code(steps: int = 0) -> str:
    """What the app shows, now or some steps of 30 seconds away."""
    return pyotp.TOTP(SECRET).at(now() + datetime.timedelta(seconds=30 * steps))


def arm(panel: Panel, person: Person = ALICE) -> list[str]:
    """Give `person` an app with `SECRET`, set up two minutes ago; returns the recovery codes."""
    with panel.work():
        user = user_of(person)
        codes = add_authenticator(user, SECRET, code())
        user.totp_last_step -= 4
        return codes


def half(panel: Panel, person: Person = ALICE, query: str = "") -> FlaskClient:
    """A browser after the right password."""
    browser = panel.client()
    data = {"email": person.email, "password": PASSWORD}
    answer = browser.post(f"/account/sign-in/{query}", data=data)
    assert answer.status_code == 303 and answer.headers["Location"] == STEP
    return browser


def show(browser: FlaskClient, text: str) -> TestResponse:
    return browser.post(STEP, data={"code": text})


def subjects() -> str:
    return "; ".join(db.session.scalars(db.select(Mail.subject).order_by(Mail.id)))


# Setting up -----------------------------------------------------------------------------------


def test_setting_up_an_app(panel: Panel) -> None:
    browser = panel.client_of(ALICE)
    page = browser.get(APP).text
    groups = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", page)
    assert groups and 'src="data:image/svg+xml' in page
    assert groups[1] in browser.get(APP).text, "a reloaded page keeps its secret"
    secret = groups[1].replace(" ", "")
    with panel.reading():
        assert not user_of(ALICE).has_second_factor
    data = {"password": PASSWORD, "code": pyotp.TOTP(secret).now()}
    done = browser.post(APP, data=data)
    codes = re.findall(r"<code>([0-9a-z-]{19})</code>", done.text)
    assert done.status_code == 200 and len(set(codes)) == 10
    with panel.reading():
        user = user_of(ALICE)
        assert user.totp_secret == secret
        stored = db.session.scalars(db.text("SELECT totp_secret FROM users")).all()
        assert secret not in str(stored)
        hashes = db.session.scalars(db.select(RecoveryCode.code_hash)).all()
        assert len(hashes) == 10 and not set(hashes) & set(codes)
        assert "app was added" in subjects()
        assert db.session.scalars(db.select(SignIn)).one().second_factor_at
    page = browser.get(OVERVIEW).text
    assert "10 codes are left" in page and not any(text in page for text in codes)
    with browser.session_transaction() as session:
        assert secret not in str(dict(session))


@pytest.mark.parametrize(
    ("password", "shown"), [(PASSWORD, "000000"), (PASSWORD, ""), ("wrong password", None)]
)
def test_an_app_counts_after_its_first_code_and_the_password(
    panel: Panel, password: str, shown: str | None
) -> None:
    browser = panel.client_of(ALICE)
    with browser.session_transaction() as session:
        session["authenticator_secret"] = SECRET
    data = {"password": password, "code": code() if shown is None else shown}
    assert "field-error" in browser.post(APP, data=data).text
    with panel.reading():
        assert not user_of(ALICE).has_second_factor and subjects() == ""


def test_there_is_one_app(panel: Panel) -> None:
    arm(panel)
    assert panel.client_of(ALICE).get(APP).headers["Location"] == OVERVIEW
    with pytest.raises(Invalid, match="already"), panel.work():
        add_authenticator(user_of(ALICE), SECRET, code())


# Signing in -----------------------------------------------------------------------------------


def test_the_password_alone_opens_nothing(panel: Panel) -> None:
    arm(panel)
    browser = half(panel)
    for page in (HOME, "/account/", OVERVIEW, "/applications/demo/"):
        assert browser.get(page).status_code == 302
    assert browser.post("/applications/demo/environments/test/deploy/").status_code == 302
    with panel.reading():
        assert db.session.scalars(db.select(SignIn)).all() == []


def test_a_code_signs_in(panel: Panel) -> None:
    arm(panel)
    browser = half(panel)
    assert browser.get(STEP).status_code == 200
    shown = show(browser, f"{code()[:3]} {code()[3:]}")
    assert shown.status_code == 303 and shown.headers["Location"] == HOME
    assert browser.get(HOME).status_code == 200
    with panel.reading():
        assert db.session.scalars(db.select(SignIn)).one().second_factor_at
    assert browser.get(STEP).status_code == 303, "nobody waits any more"


def test_a_code_works_once(panel: Panel) -> None:
    arm(panel)
    text = code()
    assert show(half(panel), text).status_code == 303
    assert show(half(panel), text).status_code == 401
    assert show(half(panel), code(-1)).status_code == 401, "nor does one from before it"


def test_of_two_who_send_a_code_at_once_one_gets_in(either_panel: Panel) -> None:
    """Somebody looks over a shoulder and is as fast."""
    arm(either_panel)
    browsers = [half(either_panel) for _ in range(4)]
    text = code()
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda browser: show(browser, text).status_code, browsers))
    assert sorted(codes) == [303, 401, 401, 401]
    with either_panel.reading():
        assert len(db.session.scalars(db.select(SignIn)).all()) == 1


def test_of_two_who_send_a_recovery_code_at_once_one_gets_in(either_panel: Panel) -> None:
    codes = arm(either_panel)
    browsers = [half(either_panel) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda browser: show(browser, codes[0]).status_code, browsers))
    assert answers.count(303) == 1 and set(answers) <= {303, 401, 409}
    with either_panel.reading():
        assert len(db.session.scalars(db.select(SignIn)).all()) == 1
        assert len(user_of(ALICE).recovery_codes) == 9


def test_codes_of_another_time_or_person_are_refused(panel: Panel) -> None:
    arm(panel)
    browser = half(panel)
    assert [show(browser, code(steps)).status_code for steps in (-3, 3)] == [401, 401]
    assert browser.get(HOME).status_code == 302
    with panel.reading():
        assert "recovery" not in subjects()


def test_a_clock_may_be_half_a_minute_off(panel: Panel) -> None:
    arm(panel)
    assert show(half(panel), code(-1)).status_code == 303
    arm(panel, BOB)
    assert show(half(panel, BOB), code(1)).status_code == 303


def test_guessing_codes_is_throttled_for_the_account(panel: Panel) -> None:
    arm(panel)
    arm(panel, BOB)
    browsers = [half(panel) for _ in range(3)]
    tries = [show(browsers[n % 3], "000000").status_code for n in range(6)]
    assert tries == [401] * 5 + [429]
    assert show(browsers[0], code()).status_code == 429
    assert show(half(panel, BOB), code()).status_code == 303


def test_half_a_sign_in_waits_ten_minutes(panel: Panel) -> None:
    arm(panel)
    browser = half(panel)
    with browser.session_transaction() as session:
        waiting = session["half_signed_in"]
        session["half_signed_in"] = waiting | {"since": time.time() - HALF_SECONDS - 1}
    assert browser.get(STEP).status_code == 303
    assert show(browser, code()).headers["Location"] == "/account/sign-in/"
    assert browser.get(HOME).status_code == 302


def test_half_a_sign_in_ends_with_the_password(panel: Panel) -> None:
    arm(panel)
    browser = half(panel)
    with panel.work():
        user_of(ALICE).password_hash = user_of(BOB).password_hash
    assert show(browser, code()).headers["Location"] == "/account/sign-in/"
    assert browser.get(HOME).status_code == 302


def test_the_second_step_is_closed_to_who_comes_without_a_password(panel: Panel) -> None:
    arm(panel)
    browser = panel.client()
    assert browser.get(STEP).headers["Location"] == "/account/sign-in/"
    assert show(browser, code()).headers["Location"] == "/account/sign-in/"


def test_the_wanted_page_comes_after_both_steps_and_is_local(panel: Panel) -> None:
    codes = arm(panel)
    browser = half(panel, query="?next=/applications/demo/")
    assert show(browser, codes[0]).headers["Location"] == "/applications/demo/"
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        browser = half(panel, query=f"?next={target}")
        assert show(browser, codes.pop()).headers["Location"] == HOME


def test_keeping_signed_in_survives_the_second_step(panel: Panel) -> None:
    arm(panel)
    browser = panel.client()
    data = {"email": ALICE.email, "password": PASSWORD, "remember": "y"}
    browser.post("/account/sign-in/", data=data)
    show(browser, code())
    cookie = browser.get_cookie("session")
    assert cookie and cookie.expires is not None


# Recovery codes -------------------------------------------------------------------------------


def test_a_recovery_code_works_once(panel: Panel) -> None:
    codes = arm(panel)
    typed = codes[3].upper().replace("-", " ")
    assert show(half(panel), typed).status_code == 303
    assert show(half(panel), codes[3]).status_code == 401
    assert show(half(panel), codes[4]).status_code == 303
    with panel.reading():
        assert len(user_of(ALICE).recovery_codes) == 8
        assert "recovery code of your account was used" in subjects()


def test_a_recovery_code_of_somebody_else_opens_nothing(panel: Panel) -> None:
    arm(panel)
    of_bob = arm(panel, BOB)
    assert show(half(panel), of_bob[0]).status_code == 401


def test_new_recovery_codes_end_those_before(panel: Panel) -> None:
    before = arm(panel)
    browser = panel.client_of(ALICE)
    refused = browser.post("/account/recovery-codes/", data={"password": "wrong password"})
    assert "not your password" in refused.text
    answer = browser.post("/account/recovery-codes/", data={"password": PASSWORD})
    fresh = re.findall(r"<code>([0-9a-z-]{19})</code>", answer.text)
    assert len(fresh) == 10 and not set(fresh) & set(before)
    assert show(half(panel), before[0]).status_code == 401
    assert show(half(panel), fresh[0]).status_code == 303


def test_recovery_codes_need_something_to_recover(panel: Panel) -> None:
    with pytest.raises(Invalid, match="Set one up first"), panel.work():
        second_factor.renew_recovery_codes(user_of(ALICE))


LOOK_ALIKES = {"0": "0oO", "1": "1iIlL"}


@given(
    st.text(second_factor.ALPHABET, min_size=16, max_size=16),
    st.lists(st.integers(0, 9), min_size=16, max_size=16),
    st.sampled_from(["", " ", "-", " – "]),
)
def test_a_recovery_code_is_read_as_people_write_it(
    meant: str, choices: list[int], between: str
) -> None:
    written = []
    for letter, choice in zip(meant, choices, strict=True):
        ways = LOOK_ALIKES.get(letter, letter + letter.upper())
        written.append(ways[choice % len(ways)])
    groups = ["".join(written[start : start + 4]) for start in range(0, 16, 4)]
    assert second_factor._hash_code(between.join(groups)) == second_factor._hash_code(meant)
    assert second_factor._hash_code(between.join(groups) + "2") != second_factor._hash_code(meant)


# Turning it off, and asking for it ------------------------------------------------------------


def test_removing_the_app_asks_for_the_password(panel: Panel) -> None:
    arm(panel)
    browser = panel.client_of(ALICE, has_second_factor=True)
    assert browser.get(f"{APP}remove/").status_code == 200
    assert "not your password" in browser.post(f"{APP}remove/", data={"password": "x"}).text
    assert browser.post(f"{APP}remove/", data={"password": PASSWORD}).status_code == 303
    with panel.reading():
        user = user_of(ALICE)
        assert not user.has_second_factor and user.recovery_codes == []
        assert db.session.scalars(db.select(SignIn)).one().second_factor_at is None
        assert "app was removed" in subjects()
    data = {"email": ALICE.email, "password": PASSWORD}
    answer = panel.client().post("/account/sign-in/", data=data)
    assert answer.headers["Location"] == HOME


def test_guessing_the_password_from_an_open_browser_is_throttled(panel: Panel) -> None:
    arm(panel)
    browser = panel.client_of(ALICE)
    paths = (f"{APP}remove/", "/account/recovery-codes/", "/account/passkeys/options/")
    codes = [browser.post(paths[n % 3], data={"password": "guess"}).status_code for n in range(9)]
    assert codes[-1] == 429 and 429 not in codes[:-1]


def test_a_browser_from_before_shows_it_later(panel: Panel) -> None:
    """What organisations that ask for a second factor rely on."""
    browser = panel.client_of(ALICE)
    arm(panel)
    path = "/account/second-factor/show/"
    assert not is_shown_to(panel, browser)
    assert "not right" in browser.post(path, data={"code": "000000"}).text
    assert not is_shown_to(panel, browser)
    answer = browser.post(f"{path}?next=/account/", data={"code": code()})
    assert answer.status_code == 303 and answer.headers["Location"] == "/account/"
    assert is_shown_to(panel, browser)
    away = browser.post(f"{path}?next=//evil.example", data={"code": code(1)})
    assert away.headers["Location"] == HOME


def is_shown_to(panel: Panel, browser: FlaskClient) -> bool:
    cookie = browser.get_cookie("session")
    assert cookie
    headers = {"Cookie": f"session={cookie.value}"}
    with panel.app.test_request_context(HOME, headers=headers):
        return second_factor_is_shown()


def test_a_token_or_nobody_has_shown_nothing(panel: Panel) -> None:
    with panel.app.test_request_context(HOME):
        assert not second_factor_is_shown()


def test_accepting_refuses_what_is_no_code(panel: Panel) -> None:
    for text in ("", " ", "12345", "1234567", "１２３４５６", "a" * 10_000, "\0", "-" * 16):
        with pytest.raises(Invalid), panel.work():
            accept_second_factor(user_of(ALICE), Shown(code=text))


def test_pages_of_the_second_factor_are_for_who_is_signed_in(panel: Panel) -> None:
    arm(panel)
    stranger, bob, alice = panel.client(), panel.client_of(BOB), panel.client_of(ALICE)
    for path in (OVERVIEW, f"{APP}remove/", "/account/recovery-codes/"):
        assert stranger.get(path).status_code == 302
        assert alice.get(path).status_code == 200
        assert path == OVERVIEW or bob.get(path).headers["Location"] == OVERVIEW
    assert "10 codes are left" not in bob.get(OVERVIEW).text
