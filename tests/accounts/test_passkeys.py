"""Passkeys, with an authenticator in software; `tests/browser` has Chromium's own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.accounts.models import Passkey, SignIn
from app.accounts.passkeys import MOST, accept_passkey, add_passkey, registration_options
from app.errors import Invalid
from app.extensions import db
from app.mails.models import Mail
from tests.accounts.soft_authenticator import VERIFIED, SoftAuthenticator
from tests.panel import ALICE, BOB, PASSWORD, Panel, Person, user_of

STEP = "/account/sign-in/second-step/"
OVERVIEW = "/account/second-factor/"
HOME = "/applications/"


def key_of(panel: Panel) -> SoftAuthenticator:
    return SoftAuthenticator(panel.settings.panel_url)


def options_for(browser: FlaskClient, password: str = PASSWORD) -> dict[str, Any]:
    answer = browser.post("/account/passkeys/options/", data={"password": password})
    assert answer.status_code == 200
    return dict(json.loads(answer.text))


def adds(panel: Panel, key: SoftAuthenticator, person: Person = ALICE) -> TestResponse:
    """`person` registers `key` in a browser of theirs."""
    browser = panel.client_of(person)
    data = {"name": "Blue stick", "passkey": key.create(options_for(browser))}
    return browser.post("/account/passkeys/", data=data, follow_redirects=True)


def half(panel: Panel) -> FlaskClient:
    browser = panel.client()
    data = {"email": ALICE.email, "password": PASSWORD}
    assert browser.post("/account/sign-in/", data=data).headers["Location"] == STEP
    return browser


def challenge(browser: FlaskClient) -> dict[str, Any]:
    return dict(json.loads(browser.post("/account/sign-in/passkey-options/").text))


def show(browser: FlaskClient, answer: str) -> int:
    return browser.post(STEP, data={"passkey": answer}).status_code


def test_a_passkey_is_added_and_signs_in(panel: Panel) -> None:
    key = key_of(panel)
    added = adds(panel, key)
    codes = re.findall(r"<code>([0-9a-z-]{19})</code>", added.text)
    assert added.status_code == 200 and len(codes) == 10, "the first factor brings the codes"
    with panel.reading():
        row = db.session.scalars(db.select(Passkey)).one()
        assert (row.name, row.transports, row.last_used_at) == ("Blue stick", ["usb"], None)
        assert db.session.scalars(db.select(SignIn)).one().second_factor_at
        assert "passkey was added" in db.session.scalars(db.select(Mail.subject)).one()
    browser = half(panel)
    asked = challenge(browser)
    assert [one["type"] for one in asked["allowCredentials"]] == ["public-key"]
    assert asked["rpId"] == "localhost" and asked["userVerification"] == "preferred"
    assert show(browser, key.get(asked)) == 303
    assert browser.get(HOME).status_code == 200
    with panel.reading():
        row = db.session.scalars(db.select(Passkey)).one()
        assert row.last_used_at and row.sign_count == 1


def test_an_answer_works_once(panel: Panel) -> None:
    key = key_of(panel)
    adds(panel, key)
    browser = half(panel)
    answer = key.get(challenge(browser))
    assert show(browser, answer) == 303
    again = half(panel)
    assert show(again, answer) == 401, "without a challenge"
    challenge(again)
    assert show(again, answer) == 401, "to another challenge"
    assert again.get(HOME).status_code == 302


def test_a_challenge_is_gone_after_one_answer(panel: Panel) -> None:
    key = key_of(panel)
    adds(panel, key)
    browser = half(panel)
    asked = challenge(browser)
    assert show(browser, "{}") == 401
    assert show(browser, key.get(asked)) == 401


def test_false_pages_sites_and_keys_are_refused(panel: Panel) -> None:
    key = key_of(panel)
    adds(panel, key)

    def tries(liar: SoftAuthenticator) -> int:
        liar.credential_id = key.credential_id
        browser = half(panel)
        return show(browser, liar.get(challenge(browser)))

    assert tries(key_of(panel)) == 401, "another key pair"
    phished = key_of(panel)
    phished.key, phished.origin = key.key, "https://moonbase.evil.example"
    assert tries(phished) == 401
    elsewhere = key_of(panel)
    elsewhere.key, elsewhere.rp_id = key.key, "evil.example"
    assert tries(elsewhere) == 401
    absent = key_of(panel)
    absent.key, absent.flags = key.key, 0
    assert tries(absent) == 401, "nobody touched it"


def test_a_key_that_cannot_verify_its_person_will_do(panel: Panel) -> None:
    key = key_of(panel)
    key.flags &= ~VERIFIED
    adds(panel, key)
    browser = half(panel)
    assert show(browser, key.get(challenge(browser))) == 303


def test_a_copied_key_is_noticed_by_its_counter(panel: Panel) -> None:
    key = key_of(panel)
    adds(panel, key)
    browser = half(panel)
    assert show(browser, key.get(challenge(browser))) == 303
    key.count = 0  # the copy has not counted along
    browser = half(panel)
    assert show(browser, key.get(challenge(browser))) == 401


def test_a_passkey_of_somebody_else_opens_nothing(panel: Panel) -> None:
    of_bob = key_of(panel)
    adds(panel, key_of(panel))
    adds(panel, of_bob, BOB)
    browser = half(panel)
    assert show(browser, of_bob.get(challenge(browser))) == 401


def test_adding_asks_for_the_password(panel: Panel) -> None:
    browser, key = panel.client_of(ALICE), key_of(panel)
    refused = browser.post("/account/passkeys/options/", data={"password": "wrong password"})
    assert refused.status_code in {303, 400}
    made_up = {"name": "x", "passkey": key.create({"challenge": "AAAA"})}
    answer = browser.post("/account/passkeys/", data=made_up, follow_redirects=True)
    assert "was not taken" in answer.text
    with panel.reading():
        assert not user_of(ALICE).has_second_factor


def test_scripts_are_told_in_a_sentence(panel: Panel) -> None:
    browser = panel.client_of(ALICE)
    headers = {"Accept": "application/json", "Referer": "http://localhost/account/second-factor/"}
    refused = browser.post("/account/passkeys/options/", data={"password": "x"}, headers=headers)
    assert (refused.status_code, refused.text) == (400, "That is not your password.\n")


@pytest.mark.parametrize(
    "path", ["/account/passkeys/options/", "/account/sign-in/passkey-options/"]
)
def test_options_are_not_given_to_other_sites(panel: Panel, path: str) -> None:
    browser = panel.client_of(ALICE)
    del browser.environ_base["HTTP_X_CSRFTOKEN"]
    assert browser.post(path, data={"password": PASSWORD}).status_code == 400


def test_nobody_gets_options_without_a_password(panel: Panel) -> None:
    adds(panel, key_of(panel))
    assert panel.client().post("/account/sign-in/passkey-options/").status_code == 400
    assert panel.client().post("/account/passkeys/options/").status_code == 302


def test_one_passkey_is_on_one_account_once(panel: Panel) -> None:
    key = key_of(panel)
    adds(panel, key)
    assert "on an account already" in adds(panel, key).text
    assert "on an account already" in adds(panel, key, BOB).text


def test_several_passkeys_and_the_removal_of_one(panel: Panel) -> None:
    keys = [key_of(panel) for _ in range(3)]
    for key in keys:
        adds(panel, key)
    browser = panel.client_of(ALICE)
    assert len(options_for(browser)["excludeCredentials"]) == 3
    with panel.reading():
        row = user_of(ALICE).passkeys[0].id
    path = f"/account/passkeys/{row}/remove/"
    assert "Your other second factor stays" in browser.get(path).text
    assert "not your password" in browser.post(path, data={"password": "x"}).text
    assert browser.post(path, data={"password": PASSWORD}).status_code == 303
    assert browser.post(path, data={"password": PASSWORD}).status_code == 404
    waiting = half(panel)
    assert show(waiting, keys[0].get(challenge(waiting))) == 401
    assert show(waiting, keys[1].get(challenge(waiting))) == 303


def test_nobody_removes_the_passkey_of_somebody_else(panel: Panel) -> None:
    adds(panel, key_of(panel))
    with panel.reading():
        row = user_of(ALICE).passkeys[0].id
    path = f"/account/passkeys/{row}/remove/"
    assert panel.client_of(BOB).post(path, data={"password": PASSWORD}).status_code == 404
    assert panel.client().post(path).status_code == 302


def test_without_its_last_passkey_an_account_has_no_second_factor(panel: Panel) -> None:
    adds(panel, key_of(panel))
    with panel.reading():
        row = user_of(ALICE).passkeys[0].id
    browser = panel.client_of(ALICE)
    browser.post(f"/account/passkeys/{row}/remove/", data={"password": PASSWORD})
    with panel.reading():
        user = user_of(ALICE)
        assert not user.has_second_factor and user.recovery_codes == []


def test_there_is_room_for_twenty(panel: Panel) -> None:
    with panel.work():
        user = user_of(ALICE)
        for number in range(MOST):
            row = Passkey(name="x", credential_id=bytes([number]), public_key=b"")
            user.passkeys.append(row)
    with pytest.raises(Invalid, match="Remove one"), panel.reading():
        registration_options(user_of(ALICE))


def test_passkeys_are_offered_at_their_address_only(panel: Panel) -> None:
    adds(panel, key_of(panel))
    browser = panel.client_of(ALICE)
    there = browser.get(OVERVIEW, base_url=panel.settings.panel_url).text
    assert "Add passkey" in there
    cookie = browser.get_cookie("session")
    assert cookie
    browser.set_cookie("session", cookie.value, domain="127.0.0.1")
    elsewhere = browser.get(OVERVIEW, base_url="http://127.0.0.1:8000").text
    assert "Add passkey" not in elsewhere and panel.settings.panel_url in elsewhere


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_answer_breaks_anything(panel: Panel, data: st.DataObject) -> None:
    """Whatever is sent instead of an answer, the person is told that it was not taken."""
    key = key_of(panel)
    honest = json.loads(key.create({"challenge": "AAAA"}))
    place = data.draw(st.sampled_from(["", "id", "rawId", "type", "response", *honest["response"]]))
    noise = data.draw(NOISE)
    if place in honest:
        honest[place] = noise
    elif place:
        honest["response"][place] = noise
    answer = json.dumps(honest) if place else data.draw(st.text() | st.just("[" * 60_000))
    with pytest.raises(Invalid), panel.work():
        add_passkey(user_of(ALICE), "x", answer, b"another challenge")
    with pytest.raises(Invalid), panel.work():
        accept_passkey(user_of(ALICE), answer, b"another challenge")
