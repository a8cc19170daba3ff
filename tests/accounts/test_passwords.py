"""Passwords: argon2, throttled, and the same for an address that nobody has."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from app.accounts import operations
from app.accounts.operations import change_password, check_password, create_user, hash_password
from app.background import create_background_app
from app.config import Settings
from app.errors import Invalid
from app.extensions import db
from tests.panel import ALICE, BOB, PASSWORD, Panel, user_of


def sign_in(panel: Panel, email: str, password: str, address: str = "10.0.0.1") -> int:
    data = {"email": email, "password": password}
    answer = panel.client().post(
        "/account/sign-in/", data=data, environ_base={"REMOTE_ADDR": address}
    )
    return answer.status_code


def test_passwords_are_kept_as_argon2id(panel: Panel) -> None:
    with panel.reading():
        assert user_of(ALICE).password_hash.startswith("$argon2id$")
        stored = " ".join(db.session.scalars(db.text("SELECT password_hash FROM users")))
        assert PASSWORD not in stored


def test_people_s_passwords_cost_what_the_standard_says(tmp_path: Path) -> None:
    app = create_background_app(Settings.read({"DATA_DIR": str(tmp_path)}))
    with app.app_context():
        assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_right_password_signs_in_and_others_do_not(panel: Panel) -> None:
    assert sign_in(panel, ALICE.email, PASSWORD) == 303
    assert sign_in(panel, f" {ALICE.email.upper()} ", PASSWORD) == 303
    assert sign_in(panel, ALICE.email, PASSWORD.upper()) == 401
    assert sign_in(panel, "nobody@example.com", PASSWORD) == 401
    assert sign_in(panel, "x@example.com' OR 1=1 --", PASSWORD) == 401


def test_the_answer_does_not_tell_who_has_an_account(panel: Panel) -> None:
    def page(email: str) -> str:
        data = {"email": email, "password": "wrong password"}
        text = panel.client().post("/account/sign-in/", data=data).text
        text = re.sub(r'(csrf_token"[^>]*value)="[^"]+"', r"\1", text)  # holds the time of day
        return text.replace(email, "…")

    assert page(ALICE.email) == page("nobody@example.com")


def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the hash of real installations, beside which nothing else takes time."""
    monkeypatch.setattr(operations, "_hasher", lambda: operations._hashers(False))
    operations._nobodys_hash.cache_clear()

    def seconds(email: str) -> float:
        started = time.process_time()
        assert check_password(email, "wrong password") is None
        return time.process_time() - started

    try:
        with panel.work():
            user_of(ALICE).password_hash = hash_password(PASSWORD)
        with panel.reading():
            seconds("nobody@example.com")  # makes nobody's hash
            known, unknown = seconds(ALICE.email), seconds("nobody@example.com")
    finally:
        operations._nobodys_hash.cache_clear()
    assert unknown > known / 2, "an unknown address skips the verification"


def test_guessing_one_account_is_throttled_from_any_address(panel: Panel) -> None:
    codes = [sign_in(panel, ALICE.email, "wrong password", f"10.0.1.{n}") for n in range(9)]
    assert codes == [401] * 8 + [429]
    assert sign_in(panel, ALICE.email.upper(), PASSWORD, "10.0.1.99") == 429
    assert sign_in(panel, BOB.email, PASSWORD, "10.0.1.99") == 303


def test_guessing_many_accounts_from_one_address_is_throttled(panel: Panel) -> None:
    codes = [sign_in(panel, f"n{n}@example.com", "") for n in range(31)]
    assert codes == [401] * 30 + [429]
    assert sign_in(panel, ALICE.email, PASSWORD, "10.9.9.9") == 303


def test_looking_at_the_sign_in_page_is_not_throttled(panel: Panel) -> None:
    codes = {panel.client().get("/account/sign-in/").status_code for _ in range(40)}
    assert codes == {200}


def test_a_changed_password_ends_all_other_sessions(panel: Panel) -> None:
    here, elsewhere = panel.client_of(ALICE), panel.client_of(ALICE)
    data = {"present": PASSWORD, "password": "another long password"}
    assert here.post("/account/password/", data=data).status_code == 303
    assert here.get("/applications/").status_code == 200
    assert elsewhere.get("/applications/").status_code == 302
    assert sign_in(panel, ALICE.email, PASSWORD) == 401
    assert sign_in(panel, ALICE.email, "another long password") == 303


def test_a_kept_sign_in_ends_with_the_password(panel: Panel) -> None:
    client = panel.client()
    data = {"email": ALICE.email, "password": PASSWORD, "remember": "y"}
    client.post("/account/sign-in/", data=data)
    assert client.get("/applications/").status_code == 200
    with panel.work():
        change_password(user_of(ALICE), PASSWORD, "another long password")
    assert client.get("/applications/").status_code == 302


def test_the_present_password_is_asked_for(panel: Panel) -> None:
    data = {"present": "wrong password", "password": "another long password"}
    assert "not right" in panel.client_of(ALICE).post("/account/password/", data=data).text
    with panel.reading():
        assert check_password(ALICE.email, PASSWORD)


def test_signing_out_ends_the_session(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    assert client.get("/account/sign-out/").status_code == 405
    assert client.post("/account/sign-out/").status_code == 303
    assert client.get("/applications/").status_code == 302


@pytest.mark.parametrize("password", ["", "short", "x" * 9, "x" * 1001])
def test_passwords_have_10_to_1000_characters(panel: Panel, password: str) -> None:
    with pytest.raises(Invalid, match="at least 10"), panel.work():
        create_user("new@example.com", "New", password)


def test_an_address_has_one_account(panel: Panel) -> None:
    data = {"name": "Eve", "email": ALICE.email.upper(), "password": PASSWORD}
    answer = panel.client().post("/account/sign-up/", data=data)
    assert answer.status_code == 200 and "exists already" in answer.text
