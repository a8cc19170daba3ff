"""From nothing to a site on the dashboard, with and without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import go_to, sign_in
from tests.browser.panel import PASSWORD, Panel


def _sign_up(page: Page, panel: Panel) -> None:
    go_to(page, f"{panel.url}/account/sign-up/")
    page.get_by_label("Name").fill("Alice Moreau")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make account").click()
    expect(page).to_have_url(f"{panel.url}/applications/")


def test_a_new_person_creates_an_application(page: Page, panel: Panel) -> None:
    _sign_up(page, panel)
    page.get_by_role("link", name="Create your first application").click()
    page.get_by_label("Name", exact=True).fill("Zoë’s Café & Bar")
    expect(page.get_by_label("Address name")).to_have_value("zoe-s-cafe-bar")
    expect(page.locator("[data-address]").last).to_have_text("zoe-s-cafe-bar.localhost")
    page.get_by_label("Address name").fill("zoes-cafe")
    page.get_by_label("Name", exact=True).fill("Zoë’s Café")
    expect(page.get_by_label("Address name")).to_have_value("zoes-cafe")
    page.get_by_role("button", name="Create application").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Zoë’s Café")
    expect(page.get_by_role("status").first).to_contain_text("Deploy it when you like")
    for place in ("Test", "Live"):
        card = page.get_by_role("region", name=place, exact=True)
        expect(card).to_contain_text("Not deployed yet")
        expect(card).to_contain_text("1 commit not deployed yet")


def test_deploying_opens_the_page_of_the_deployment(page: Page, panel: Panel) -> None:
    _sign_up(page, panel)
    go_to(page, f"{panel.url}/applications/new/")
    page.get_by_label("Name", exact=True).fill("Demo")
    page.get_by_role("button", name="Create application").click()
    page.get_by_role("button", name="Deploy Test").click()
    expect(page).to_have_url(re.compile("/deployments/[0-9a-f-]{36}/$"))
    expect(page.locator("#state")).to_have_text("Waiting")
    page.get_by_role("button", name="Cancel deployment").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the deployment").click()
    expect(page.locator("#state")).to_have_text("Cancelled")
    expect(page.get_by_text("Cancelled by Alice Moreau.")).to_be_visible()


def test_an_empty_repository_teaches_the_push(page: Page, panel: Panel) -> None:
    _sign_up(page, panel)
    go_to(page, f"{panel.url}/applications/new/")
    page.get_by_label("Name", exact=True).fill("Demo")
    page.get_by_role("radio", name="Build your own").check()
    page.get_by_role("button", name="Create application").click()
    expect(page.get_by_text("git push moonbase main").first).to_be_visible()
    remote = "git remote add moonbase ssh://git@localhost:2222/demo.git"
    expect(page.locator("code", has_text=remote)).to_be_visible()
    expect(page.get_by_text("Unable to get commit count from repository").first).to_be_visible()
    expect(page.get_by_role("button", name="Deploy Test")).to_have_count(0)


def test_a_command_is_copied(browser: Browser, panel: Panel) -> None:
    panel.add_person("alice@example.com", "Alice")
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        sign_in(page, panel.url, "alice@example.com")
        go_to(page, f"{panel.url}/account/ssh-keys/")
        page.get_by_role("button", name="Copy ssh-keygen -t ed25519").click()
        expect(page.locator("[data-copy-label]").first).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == "ssh-keygen -t ed25519"


def test_a_wrong_password_is_refused_with_a_sentence(page: Page, panel: Panel) -> None:
    panel.add_person("alice@example.com", "Alice")
    go_to(page, f"{panel.url}/account/sign-in/")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("E-mail address and password do not match.")
    expect(page.get_by_label("E-mail")).to_have_value("alice@example.com")
    go_to(page, f"{panel.url}/applications/")
    expect(page).to_have_url(re.compile("/account/sign-in/"))


def test_a_refused_field_says_why(page: Page, panel: Panel) -> None:
    _sign_up(page, panel)
    go_to(page, f"{panel.url}/applications/new/")
    page.get_by_label("Name", exact=True).fill("Panel")
    page.get_by_label("Address name").fill("admin")
    page.get_by_role("button", name="Create application").click()
    field = page.get_by_label("Address name")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("is reserved for the platform"))


def test_a_new_token_is_shown_once_with_the_line_to_clone(page: Page, panel: Panel) -> None:
    _sign_up(page, panel)
    go_to(page, f"{panel.url}/account/access-tokens/")
    page.get_by_label("What is it for?").fill("Laptop")
    page.get_by_role("button", name="Make token").click()
    expect(page.locator(".new-token code").first).to_have_text(re.compile(r"^mb_\S{40,}$"))
    expect(page.locator(".new-token")).to_contain_text("git clone http://alice%40example.com@")
    go_to(page, f"{panel.url}/account/access-tokens/")
    expect(page.locator(".new-token")).to_have_count(0)
    expect(page.get_by_text("Laptop", exact=True)).to_be_visible()


def test_it_works_without_scripts(browser: Browser, panel: Panel) -> None:
    panel.add_person("alice@example.com", "Alice")
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, panel.url, "alice@example.com")
        page.get_by_role("link", name="Create your first application").click()
        page.get_by_label("Name", exact=True).fill("Demo")
        page.get_by_label("Address name").fill("demo")
        page.get_by_role("button", name="Create application").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Demo")
        expect(page.locator("noscript p")).to_be_visible()
        expect(page.locator(".needs-js").first).to_be_hidden()
        go_to(page, f"{panel.url}/applications/demo/environments/test/variables/")
        page.get_by_label("Name").fill("API_KEY")
        page.get_by_label("Value").fill("one")
        page.get_by_role("button", name="Save variable").click()
        page.get_by_role("button", name="Remove API_KEY").click()  # opened by the browser itself
        page.get_by_role("button", name="Remove variable").click()
        expect(page.get_by_text("API_KEY is removed at the next deployment.")).to_be_visible()
        page.locator("#account-menu-opens").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{panel.url}/account/sign-in/")
