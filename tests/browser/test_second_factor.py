"""A second factor as people meet it: Chromium's own authenticator, an app's codes, recovery."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import CDPSession, Page, expect

from app.extensions import now
from tests.browser.browsing import go_to, sign_in
from tests.browser.panel import PASSWORD, Panel
from tests.browser.test_every_page import OVERFLOW, PHONE, findings_of_axe

EMAIL = "alice@example.com"


@pytest.fixture
def alice(page: Page, panel: Panel) -> Page:
    """Alice's browser, at her second factor."""
    panel.add_person(EMAIL, "Alice")
    sign_in(page, panel.url, EMAIL)
    go_to(page, f"{panel.url}/account/second-factor/")
    return page


@pytest.fixture
def stick(page: Page) -> Iterator[CDPSession]:
    """A security key in the browser's port, whose owner touches it when asked."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield session
    session.send("WebAuthn.disable")


def add_passkey(page: Page, name: str = "Blue stick", password: str = PASSWORD) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name="Add passkey").click()


def sign_out_and_in(page: Page, panel: Panel) -> None:
    """As far as the password goes."""
    page.get_by_role("button", name="Account menu of Alice").click()
    page.get_by_role("button", name="Sign out").last.click()
    page.wait_for_url(f"{panel.url}/account/sign-in/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{panel.url}/account/sign-in/second-step/")


def look(page: Page) -> None:
    """Accessible, and fit for a phone."""
    assert findings_of_axe(page) == []
    size = page.viewport_size
    assert size
    page.set_viewport_size(PHONE)
    assert page.evaluate(OVERFLOW) == 0
    page.set_viewport_size(size)


def test_a_passkey_from_adding_to_signing_in(
    alice: Page, panel: Panel, stick: CDPSession, complaints: list[str]
) -> None:
    add_passkey(alice)
    expect(alice.get_by_role("heading", name="Keep these where your phone is not")).to_be_visible()
    expect(alice.locator("output code")).to_have_count(10)
    look(alice)
    alice.get_by_role("link", name="I have kept them").click()
    expect(alice.get_by_text("Blue stick")).to_be_visible()
    expect(alice.get_by_text("10 codes are left.")).to_be_visible()
    look(alice)
    sign_out_and_in(alice, panel)
    look(alice)
    alice.get_by_role("button", name="Use your passkey").click()
    alice.wait_for_url(f"{panel.url}/applications/")
    go_to(alice, f"{panel.url}/account/sessions/")
    expect(alice.get_by_text("with second factor")).to_be_visible()
    assert complaints == []


def test_a_passkey_that_is_there_already_is_not_added_twice(
    alice: Page, panel: Panel, stick: CDPSession
) -> None:
    add_passkey(alice)
    alice.get_by_role("link", name="I have kept them").click()
    add_passkey(alice, "The same")
    expect(alice.get_by_role("alert")).to_have_text("That passkey is on your account already.")


def test_a_wrong_password_is_said_before_the_passkey_is_asked_for(
    alice: Page, stick: CDPSession
) -> None:
    add_passkey(alice, password="wrong password")
    expect(alice.get_by_role("alert")).to_have_text("That is not your password.")
    add_passkey(alice)
    expect(alice.locator("output code")).to_have_count(10)


def test_an_app_its_codes_and_a_recovery_code(
    alice: Page, panel: Panel, tmp_path: Path, complaints: list[str]
) -> None:
    alice.get_by_role("link", name="Set up an app").click()
    assert alice.get_by_role("img", name="QR code").evaluate("image => image.naturalWidth") > 100
    secret = alice.locator("code").inner_text()
    totp = pyotp.TOTP(secret.replace(" ", ""))
    alice.get_by_label("Code of the app").fill(totp.now())
    alice.get_by_label("Your password").fill(PASSWORD)
    alice.get_by_role("button", name="Turn it on").click()
    expect(alice.locator("output code")).to_have_count(10)
    codes = alice.locator("output code").all_inner_texts()
    with alice.expect_download() as download:
        alice.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "codes.txt")
    assert (tmp_path / "codes.txt").read_text().split() == codes
    sign_out_and_in(alice, panel)
    look(alice)
    alice.get_by_label("Code").fill("000000")
    alice.get_by_role("button", name="Go on").click()
    expect(alice.get_by_text("That code is not right")).to_be_visible()
    # The next one: a code is good once, and half a minute before its time too.
    alice.get_by_label("Code").fill(totp.at(now() + datetime.timedelta(seconds=30)))
    alice.get_by_role("button", name="Go on").click()
    alice.wait_for_url(f"{panel.url}/applications/")
    sign_out_and_in(alice, panel)
    alice.get_by_label("Code").fill(codes[0])
    alice.get_by_role("button", name="Go on").click()
    alice.wait_for_url(f"{panel.url}/applications/")
    go_to(alice, f"{panel.url}/account/second-factor/")
    expect(alice.get_by_text("9 codes are left.")).to_be_visible()
    alice.get_by_role("link", name="Remove the app").click()
    look(alice)
    assert [line for line in complaints if "401" not in line] == []
