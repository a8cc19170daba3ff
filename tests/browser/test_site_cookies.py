"""A site cannot give the panel cookies: what a real browser does in both set-ups.

Out of the box panel and sites are `localhost` and under it; on the Internet the panel's host lies
under no site's, nor a site's under the panel's (`Settings` and `refuse_reserved` see to that).
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserType

from tests.browser.browsing import CHROMIUM, go_to

PANEL, SITE, OWN = "panel.agency.com", "demo.sites.net", "www.bakery.com"
NEIGHBOUR = "www.agency.com"
"""May be a site only while the panel has HTTPS: its session is `__Host-session` then."""


@dataclass
class Echo:
    """Sets the cookies it was told, at every host, and keeps those that came."""

    cookies: list[str] = field(default_factory=list)
    came: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers["Host"].partition(":")[0]
                echo.came[host] = self.headers.get("Cookie", "")
                self.send_response(200)
                for cookie in echo.cookies:
                    self.send_header("Set-Cookie", cookie)
                self.end_headers()

            def log_message(self, *parts: object) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.stop()


@pytest.fixture
def internet(browser_type: BrowserType) -> Iterator[Browser]:
    """A browser for which every name is this machine."""
    rules = "--host-resolver-rules=MAP * 127.0.0.1"
    browser = browser_type.launch(**{**CHROMIUM, "args": [*CHROMIUM["args"], rules]})
    yield browser
    browser.close()


def come(browser: Browser, echo: Echo, first: str, then: str, cookies: list[str]) -> str:
    """Visit a site that sets cookies, then the panel; returns the cookies the panel got."""
    with browser.new_context() as context:
        page = context.new_page()
        echo.cookies = cookies
        go_to(page, f"http://{first}:{echo.port}/")
        echo.cookies = []
        go_to(page, f"http://{then}:{echo.port}/")
        return echo.came[then]


def tossed(*domains: str) -> list[str]:
    return [
        "session=evil; Path=/",
        *(f"session-{number}=evil; Domain={name}; Path=/" for number, name in enumerate(domains)),
        *(f"remember{number}=evil; Domain=.{name}" for number, name in enumerate(domains)),
    ]


@pytest.mark.parametrize("site", [SITE, OWN])
def test_no_site_reaches_the_panel_on_the_internet(
    internet: Browser, echo: Echo, site: str
) -> None:
    cookies = tossed(PANEL, "agency.com", "com", "net", site)
    assert come(internet, echo, site, PANEL, cookies) == ""
    assert "session=evil" in come(internet, echo, site, site, cookies)  # they are sent at all


def test_a_neighbour_cannot_set_the_panels_session_over_https(
    internet: Browser, echo: Echo
) -> None:
    """A neighbour's plain cookies do arrive, which is why it is refused without HTTPS; the name
    that HTTPS gives the session is out of its reach."""
    cookies = [
        "plain=evil; Domain=agency.com; Path=/",
        "__Host-session=evil; Domain=agency.com; Path=/; Secure",
        "__Host-session=evil; Path=/; Secure",
    ]
    assert come(internet, echo, NEIGHBOUR, PANEL, cookies) == "plain=evil"


def test_no_site_reaches_the_panel_out_of_the_box(browser: Browser, echo: Echo) -> None:
    cookies = tossed("localhost", "demo.localhost")
    assert come(browser, echo, "demo.localhost", "localhost", cookies) == ""
