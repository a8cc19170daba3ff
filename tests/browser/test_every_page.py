"""What holds on each page: no complaint of the browser, accessible, fits a phone."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.browsing import sign_in
from tests.browser.conftest import Office
from tests.browser.pages import SIGNED_OUT, signed_in_pages
from tests.browser.panel import Panel

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast"],  # the one thing a theme can break
}
RUN_AXE = """
async (rules) => {
  const found = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return found.violations
    .filter((finding) => ["serious", "critical"].includes(finding.impact))
    .map((finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(" | ")}`);
}
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"width": 390, "height": 844}


def findings_of_axe(page: Page) -> list[str]:
    """Serious and critical findings in both themes of the page as it stands."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text())
    found: list[str] = []
    for theme, rules in RULES.items():
        page.evaluate("theme => (document.documentElement.dataset.bsTheme = theme)", theme)
        found += [f"{theme}: {finding[:600]}" for finding in page.evaluate(RUN_AXE, rules)]
    return found


def test_no_page_makes_the_browser_complain(
    inside: Page, office: Office, complaints: list[str]
) -> None:
    panel, agency = office
    for name, path in signed_in_pages(agency).items():
        answer = inside.goto(panel.url + path)
        assert answer is not None
        assert answer.status == (404 if name == "not-found" else 200), name
        assert inside.locator("h1").count() == 1, name
    assert [line for line in complaints if "there-is-none" not in line] == []


def test_no_page_has_a_serious_finding_of_axe(browser: Browser, office: Office) -> None:
    panel, agency = office
    with browser.new_context(bypass_csp=True, reduced_motion="reduce") as context:
        page = context.new_page()
        found = _findings_over(page, panel, SIGNED_OUT)
        sign_in(page, panel, agency.email)
        found |= _findings_over(page, panel, signed_in_pages(agency))
    assert found == {}


def _findings_over(page: Page, panel: Panel, pages: dict[str, str]) -> dict[str, list[str]]:
    found = {}
    for name, path in pages.items():
        page.goto(panel.url + path)
        findings = findings_of_axe(page)
        if findings:
            found[name] = findings
    return found


def test_menu_confirmation_and_refusal_have_no_serious_finding(
    browser: Browser, office: Office
) -> None:
    panel, agency = office
    with browser.new_context(bypass_csp=True, reduced_motion="reduce") as context:
        page = context.new_page()
        sign_in(page, panel, agency.email)
        page.click("#account-menu-opens")
        assert findings_of_axe(page) == []
        page.goto(f"{panel.url}/applications/{agency.slug}/environments/test/releases/")
        page.get_by_role("button", name="Roll back to release 2").click()
        assert page.get_by_role("dialog").is_visible()
        assert findings_of_axe(page) == []
        page.goto(f"{panel.url}/applications/new/")
        page.get_by_label("Name", exact=True).fill("City Museum")
        page.get_by_role("button", name="Create application").click()
        assert page.get_by_text("is taken").is_visible()
        assert findings_of_axe(page) == []


def test_every_page_fits_a_phone(inside: Page, office: Office) -> None:
    panel, agency = office
    inside.set_viewport_size(PHONE)
    wide = {}
    for name, path in signed_in_pages(agency).items():
        inside.goto(panel.url + path)
        overflow = inside.evaluate(OVERFLOW)
        if overflow > 0:
            wide[name] = overflow
    assert wide == {}


def test_every_page_comes_with_the_strict_policy(inside: Page, office: Office) -> None:
    panel, agency = office
    answer = inside.goto(f"{panel.url}/applications/{agency.slug}/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    inside.evaluate("document.body.setAttribute('style', 'opacity: 0.5')")
    assert inside.evaluate("getComputedStyle(document.body).opacity") == "1"
