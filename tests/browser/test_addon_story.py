"""A site owner and an addon, from the installation to its removal; with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.deployments.models import Deployment
from app.deployments.queries import find_current
from app.extensions import db
from tests.browser.browsing import go_to, sign_in
from tests.browser.test_every_page import findings_of_axe
from tests.deployments import site as deploying
from tests.panel import ALICE, DORA, EVE, Panel, Person, copy_panel, environment
from tests.publishing import sample

Shop = tuple[Panel, str]
"""A panel, and where it is served."""


@pytest.fixture
def shop(panel_template: Path, tmp_path: Path) -> Iterator[Shop]:
    """`demo` can be built; `opening-hours` is in the marketplace."""
    panel = copy_panel(panel_template, tmp_path / "data")
    sample.settle(panel)
    deploying.commit(panel)
    with panel.served() as (host, port):
        yield panel, f"http://{host}:{port}"
    panel.close()


def enter(page: Page, shop: Shop, person: Person) -> None:
    sign_in(page, shop[1], person.email)


def run_newest(panel: Panel) -> None:
    """What a worker does."""
    with panel.reading():
        number = db.session.scalars(db.select(db.func.max(Deployment.id))).one()
    assert deploying.run(panel, number).status == "succeeded"


def variable(panel: Panel, slug: str) -> str | None:
    """OPENING_DAYS as the running site has it."""
    with panel.reading():
        current = find_current(environment(slug).id)
        return current.release.variables.get("OPENING_DAYS") if current else None


def look_at_preview(page: Page) -> None:
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview-title")).to_be_visible()


def test_install_fill_preview_save_publish_undo_remove(
    page: Page, shop: Shop, complaints: list[str]
) -> None:
    panel = shop[0]
    enter(page, shop, ALICE)
    go_to(page, f"{shop[1]}/marketplace/{sample.NAME}/")
    page.get_by_label("Site", exact=True).select_option("demo")
    page.get_by_role("button", name="Go on to install").click()
    page.get_by_label("I agree to all of this").check()
    page.get_by_label("Notice").fill("Welcome")
    page.get_by_role("button", name="Install version 1.0").click()
    expect(page.get_by_text("is saved in the site. It goes live when you publish.")).to_be_visible()

    page.get_by_label("Notice").fill("Closed in August")
    page.get_by_label("Days a week").fill("6")
    look_at_preview(page)
    expect(page.locator("#preview-title")).to_have_text("3 things will change on your site")
    expect(
        page.get_by_text("“Notice” changes from “Welcome” to “Closed in August”.")
    ).to_be_visible()
    page.get_by_text("The commit, line by line").click()
    expect(page.get_by_text('+    "days": 6,')).to_be_visible()
    assert findings_of_axe(page) == []
    page.get_by_role("button", name="Save").click()
    expect(
        page.get_by_text("Your change is saved. It goes live when you publish.").first
    ).to_be_visible()

    page.get_by_role("link", name="Publish…").click()
    page.get_by_role("button", name="Publish to the test site").click()
    expect(page.get_by_text("it begins in a moment")).to_be_visible()
    run_newest(panel)
    expect(page.get_by_text("The test site shows everything that is saved.")).to_be_visible()
    page.get_by_role("button", name="Publish to the live site").click()
    run_newest(panel)
    expect(page.get_by_text("Visitors see everything that is saved.")).to_be_visible()
    assert variable(panel, "test") == variable(panel, "live") == "6"

    undo(page, shop[1])
    remove(page, shop[1])
    assert complaints == []


def undo(page: Page, url: str) -> None:
    """The last change of the form, by its history."""
    go_to(page, f"{url}/applications/demo/addons/{sample.NAME}/history/")
    page.get_by_role("link", name="Undo…").click()
    expect(
        page.get_by_text("“Notice” changes from “Closed in August” to “Welcome”.")
    ).to_be_visible()
    page.get_by_role("button", name="Undo the change").click()
    expect(page.get_by_text("It is as it was before.")).to_be_visible()


def remove(page: Page, url: str) -> None:
    """By typing its name; until it is published the live site has it."""
    go_to(page, f"{url}/applications/demo/addons/{sample.NAME}/version/")
    page.get_by_role("link", name="Remove…").click()
    page.get_by_label("Name").fill("Opening hours")
    page.get_by_role("button", name="Remove the addon").click()
    expect(page.get_by_text("Opening hours is taken out.")).to_be_visible()
    expect(page.get_by_text("the live site still has it")).to_be_visible()


def test_the_preview_keeps_what_was_typed_and_leads_to_what_is_wrong(
    page: Page, shop: Shop, complaints: list[str]
) -> None:
    sample.install(shop[0])
    enter(page, shop, EVE)
    go_to(page, f"{shop[1]}/sites/demo/")
    page.get_by_role("link", name="Opening hours").click()
    page.get_by_text("Advanced settings").click()
    page.get_by_label("Key of the map").fill("hush")
    page.get_by_label("Notice").fill("closed")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Say when you open again.")).to_be_visible()
    expect(page.get_by_label("Notice")).to_be_focused()
    assert findings_of_axe(page) == []
    expect(page.get_by_label("Time zone")).to_be_visible()
    page.get_by_label("Notice").fill("Back on Monday")
    look_at_preview(page)
    expect(page.locator("#preview")).to_be_focused()
    assert page.get_by_label("Key of the map").input_value() == "hush"
    page.get_by_label("Notice").fill("Back on Tuesday")
    expect(page.get_by_role("button", name="Save")).to_be_hidden()
    expect(page.get_by_text("You have changed the form since.")).to_be_visible()
    look_at_preview(page)
    sample.save(shop[0], DORA, notice="Dora was here")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("What Dora has saved meanwhile")).to_be_visible()
    assert page.get_by_label("Notice").input_value() == "Back on Tuesday"
    page.get_by_label("Key of the map").fill("hush")
    look_at_preview(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your change is saved.").first).to_be_visible()
    expect(page.get_by_text("It is set.")).to_be_visible()
    assert [line for line in complaints if "409" not in line] == []


def test_it_all_works_without_scripts(browser: Browser, shop: Shop) -> None:
    sample.install(shop[0])
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        enter(page, shop, EVE)
        go_to(page, f"{shop[1]}/sites/demo/forms/{sample.NAME}/")
        page.get_by_label("Notice").fill("Closed in August")
        page.get_by_label("Key of the map").fill("hush")
        look_at_preview(page)
        assert page.get_by_label("Key of the map").input_value() == ""
        expect(page.get_by_text("type them again above before you save")).to_be_visible()
        page.get_by_label("Key of the map").fill("hush")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Your change is saved.").first).to_be_visible()
        page.get_by_role("link", name="Publish…").click()
        page.get_by_role("button", name="Publish to the test site").click()
        run_newest(shop[0])
        page.reload()
        expect(page.get_by_text("The test site shows everything that is saved.")).to_be_visible()
