"""How the browser is started, and what every test does with it."""

from __future__ import annotations

import shutil
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page, Response

from tests.browser.panel import PASSWORD

CHROMIUM: dict[str, Any] = {
    # The shell starts without a desktop's browser around the page, with a fifth less work.
    "executable_path": shutil.which("chromium-headless-shell") or "/usr/bin/chromium",
    "args": [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        # A page is seen for a moment: a fifth of all work was making its scripts fast.
        "--js-flags=--no-opt --no-maglev --max-lazy",
    ],
}


PASSING = ("ERR_NETWORK_CHANGED", "ERR_ABORTED", "interrupted by another navigation")
PAUSE = 500
"""Milliseconds until a page is asked for again."""
INSIDE = ("/applications/", "/sites/")
"""Where people come out who have signed in."""


def go_to(page: Page, address: str, tries: int = 5) -> Response:
    """Open a page. The browser gives up when the machine's networks change, as they do while other
    tests start engines and containers, and when the present page just then loads itself anew, as
    that of a deployment does at its end: then it is asked again, after a pause. Without one, five
    tries in a row were interrupted by another for the same page (seen once)."""
    try:
        answer = page.goto(address)
    except Error as error:
        if tries == 1 or not any(reason in error.message for reason in PASSING):
            raise
        page.wait_for_timeout(PAUSE)
        return go_to(page, address, tries - 1)
    assert answer is not None
    return answer


def sign_in(page: Page, url: str, email: str, tries: int = 5) -> None:
    """Through the form of the panel at `url`, as everybody; again when the browser gave up, as in
    `go_to`."""
    go_to(page, f"{url}/account/sign-in/")
    if page.url.endswith(INSIDE):
        return
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda seen: seen.endswith(INSIDE) or seen.startswith("chrome-error:"))
    if not page.url.endswith(INSIDE):
        assert tries > 1, "the browser gave up again and again"
        sign_in(page, url, email, tries - 1)


def listen(page: Page, heard: list[str]) -> None:
    """Note in `heard` what the browser complains of: errors of scripts, refusals of the content
    security policy, files that are not there."""

    def hear(message: ConsoleMessage) -> None:
        # Other tests start engines meanwhile, and interfaces come and go.
        is_ours = "ERR_NETWORK_CHANGED" not in message.text
        if is_ours and message.type in {"error", "warning"}:
            heard.append(f"{page.url}: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(f"{page.url}: {error}"))
