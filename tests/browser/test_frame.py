"""The frame around all pages: theme, keyboard, menus, icons."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from app.web.statuses import STATUSES
from tests.browser.browsing import go_to
from tests.browser.conftest import Office

ROOT = Path(__file__).parents[2]
ICON_CALL = re.compile(r"""icon\("([a-z0-9-]+)\"""")


def test_the_theme_is_kept(page: Page, office: Office) -> None:
    panel = office[0]
    go_to(page, f"{panel.url}/account/sign-in/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    go_to(page, f"{panel.url}/account/sign-up/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Auto").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_without_scripts_the_theme_is_the_systems(browser: Browser, office: Office) -> None:
    with browser.new_context(java_script_enabled=False, color_scheme="dark") as context:
        page = context.new_page()
        go_to(page, f"{office[0].url}/account/sign-in/")
        expect(page.locator("body")).to_have_css("background-color", "rgb(16, 18, 22)")


def test_the_keyboard_reaches_everything(inside: Page, office: Office) -> None:
    panel, agency = office
    go_to(inside, f"{panel.url}/applications/{agency.slug}/")
    inside.keyboard.press("Tab")
    skip = inside.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    inside.keyboard.press("Enter")
    expect(inside.locator("#main")).to_be_focused()
    opener = inside.locator("#account-menu-opens")
    opener.focus()
    inside.keyboard.press("Enter")
    menu = inside.locator("#account-menu")
    expect(menu).to_be_visible()
    inside.keyboard.press("Tab")
    expect(inside.get_by_role("link", name="Profile")).to_be_focused()
    inside.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_row_opens_its_application_by_keyboard_and_click(inside: Page, office: Office) -> None:
    inside.locator("#site-city-museum").focus()
    inside.keyboard.press("Enter")
    expect(inside.get_by_role("heading", level=1)).to_have_text("City Museum")
    inside.go_back()
    box = inside.get_by_role("row", name="City Museum").bounding_box()
    assert box is not None
    inside.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)
    expect(inside.get_by_role("heading", level=1)).to_have_text("City Museum")


def test_a_confirmation_begins_at_the_harmless_button(inside: Page, office: Office) -> None:
    panel, agency = office
    go_to(inside, f"{panel.url}/applications/{agency.slug}/environments/test/releases/")
    inside.get_by_role("button", name="Roll back to release 1").press("Enter")
    dialog = inside.get_by_role("dialog")
    expect(dialog).to_contain_text("Release commands do not run. Data is not rolled back")
    expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    inside.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_filters_stay_in_the_address(inside: Page, office: Office) -> None:
    panel = office[0]
    words = inside.get_by_label("Filter by name or address")
    words.fill("riverside")
    words.press("Enter")
    expect(inside.locator("tbody tr")).to_have_count(2)
    inside.get_by_label("Organisation", exact=True).select_option("Riverside Group")
    inside.get_by_role("button", name="Show").click()
    expect(inside.locator("tbody tr")).to_have_count(1)
    expect(inside).to_have_url(
        f"{panel.url}/applications/?q=riverside&organisation=riverside-group"
    )
    inside.get_by_role("link", name=re.compile("^Waiting")).click()
    expect(inside.get_by_text("Every commit is deployed.")).to_be_visible()
    expect(inside).to_have_url(re.compile("q=riverside"))


def test_what_a_page_is_made_of_is_asked_for_once(inside: Page, office: Office) -> None:
    panel, agency = office
    go_to(inside, f"{panel.url}/applications/")
    go_to(inside, f"{panel.url}/applications/{agency.slug}/")
    fetched = "one => [new URL(one.name).pathname, one.transferSize]"
    found = inside.evaluate(f"performance.getEntriesByType('resource').map({fetched})")
    assert len(found) > 6
    assert [name for name, size in found if size] == []  # nothing by the network, nothing asked


def test_every_icon_named_is_in_the_sprite() -> None:
    texts = [path.read_text() for path in (ROOT / "templates").rglob("*.html")]
    named = {name for text in texts for name in ICON_CALL.findall(text)}
    named |= {status.icon for status in STATUSES.values()}
    kept = set(json.loads((ROOT / "setup" / "icons.json").read_text()))
    sprite = (ROOT / "static" / "vendor" / "icons.svg").read_text()
    assert named - kept == set()
    assert {name for name in kept if f'id="{name}"' not in sprite} == set()
