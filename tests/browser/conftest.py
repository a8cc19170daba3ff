"""The browser and the panels that the tests of this folder use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.browsing import CHROMIUM, go_to, listen, sign_in
from tests.browser.panel import Panel, running_panel
from tests.browser.seeding import Agency, seed_agency

Office = tuple[Panel, Agency]

# Cores are shared: what comes late on a busy machine is not missing.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, without a sandbox: tests run as root."""
    return CHROMIUM


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Nothing moves, so that colours are measured when they have arrived."""
    return browser_context_args | {"reduced_motion": "reduce"}


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    """A panel nobody has used yet."""
    with running_panel(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A panel full of sites, only to look at; with the names in it."""
    with running_panel(tmp_path_factory.mktemp("office")) as running:
        yield running, seed_agency(running.app)


@pytest.fixture(scope="session")
def signed_in(browser: Browser, office: Office) -> StorageState:
    """The cookies of the agency's owner: signing in once is enough."""
    with browser.new_context() as context:
        sign_in(context.new_page(), office[0].url, office[1].email)
        return context.storage_state()


@pytest.fixture
def inside(page: Page, office: Office, signed_in: StorageState) -> Page:
    """A page on which the agency's owner is signed in, at the list of applications."""
    page.context.add_cookies(signed_in["cookies"])
    go_to(page, f"{office[0].url}/applications/")
    return page


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains of while the test runs."""
    heard: list[str] = []
    listen(page, heard)
    return heard
