"""The command palette, and choosing many sites in the list."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import go_to
from tests.browser.conftest import Office
from tests.browser.test_every_page import findings_of_axe


def test_from_anywhere_to_the_log_of_a_site_by_keyboard(
    inside: Page, office: Office, complaints: list[str]
) -> None:
    go_to(inside, f"{office[0].url}/account/")
    inside.keyboard.press("Control+k")
    field = inside.get_by_role("combobox", name="Where to?")
    expect(field).to_be_focused()
    inside.keyboard.type("bakery live logs")
    place = inside.get_by_role("option", name=re.compile("Logs.*Riverside Bakery · Live"))
    expect(place).to_have_attribute("aria-selected", "true")
    inside.keyboard.press("Enter")
    inside.wait_for_url("**/applications/riverside-bakery/environments/live/logs/")
    assert complaints == []


def test_arrows_choose_and_escape_closes(inside: Page) -> None:
    inside.keyboard.press("Control+k")
    inside.get_by_label("Where to?").fill("museum")
    options = inside.locator("#palette").get_by_role("option")
    expect(options.nth(0)).to_contain_text("City Museum")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    inside.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    inside.keyboard.press("ArrowUp")
    inside.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    inside.keyboard.press("Escape")
    expect(inside.locator("#palette")).to_be_hidden()


def test_nothing_found_is_said(inside: Page) -> None:
    inside.get_by_role("button", name="Open the command palette").click()
    inside.get_by_label("Where to?").fill("no such thing")
    expect(inside.get_by_text("Nothing is called that.")).to_be_visible()


def test_without_scripts_the_field_searches(browser: Browser, inside: Page, office: Office) -> None:
    state = inside.context.storage_state()
    with browser.new_context(java_script_enabled=False, storage_state=state) as context:
        page = context.new_page()
        go_to(page, f"{office[0].url}/applications/")
        page.get_by_label("Search", exact=True).fill("museum")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="City Museum", exact=False).first).to_be_visible()
        go_to(page, f"{office[0].url}/applications/")
        page.get_by_label("Choose City Museum").check()
        page.get_by_role("button", name="Deploy to Test…").click()
        expect(page.get_by_role("heading", name="Deploy to Test")).to_be_visible()


def test_the_bar_shows_with_the_first_choice(inside: Page) -> None:
    bar = inside.locator("[data-chosen-bar]")
    expect(bar).to_be_hidden()
    inside.get_by_label("Choose City Museum").check()
    inside.get_by_label("Choose Alpine Club Library").check()
    expect(bar).to_contain_text("2 chosen")
    inside.get_by_role("button", name="Deploy to Live…").click()
    inside.wait_for_url("**/applications/deploy/?*")
    expect(inside.get_by_role("checkbox", checked=True)).to_have_count(2)
    inside.go_back()
    inside.get_by_label("Choose all on this page").check()
    expect(bar).to_contain_text("8 chosen")


def test_the_open_palette_has_no_finding_of_axe(inside: Page) -> None:
    inside.keyboard.press("Control+k")
    inside.get_by_label("Where to?").fill("museum")
    expect(inside.locator("#palette").get_by_role("option").first).to_contain_text("City Museum")
    assert findings_of_axe(inside) == []
