"""What holds on each page: no complaint of the browser, accessible, fits a phone.

One tour over all pages looks at everything; the tests judge what it saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import go_to, listen, sign_in
from tests.browser.conftest import Office
from tests.browser.pages import SIGNED_OUT, editors_pages, signed_in_pages
from tests.browser.seeding_people import EDITOR

# The tour opens about a hundred pages and has axe look at each twice.
pytestmark = pytest.mark.timeout(600)

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast"],  # the one thing a theme can break
}
RUN_AXE = """
async ([rules, without]) => {
  const options = { runOnly: rules, resultTypes: ["violations"], preload: false };
  const found = await axe.run(without.length ? { exclude: without } : document, options);
  return found.violations
    .filter((finding) => ["serious", "critical"].includes(finding.impact))
    .map((finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(" | ")}`);
}
"""
FRAME = [["header.top"], ["#palette"]]
"""What is the same on each page: looked at on one page, it costs as much as all the rest."""
HEADINGS = "document.querySelectorAll('h1').length"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@dataclass
class Seen:
    """What the tour saw, by the page's name."""

    statuses: dict[str, int] = field(default_factory=dict)
    headings: dict[str, int] = field(default_factory=dict)
    overflows: dict[str, int] = field(default_factory=dict)
    findings: dict[str, list[str]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def findings_of_axe(page: Page, without: Sequence[list[str]] = ()) -> list[str]:
    """Serious and critical findings in both themes of the page as it stands."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text())
    found: list[str] = []
    for theme, rules in RULES.items():
        page.evaluate("theme => (document.documentElement.dataset.bsTheme = theme)", theme)
        found += [
            f"{theme}: {finding[:600]}" for finding in page.evaluate(RUN_AXE, [rules, without])
        ]
    return found


def look_at(page: Page, address: str, name: str, seen: Seen) -> None:
    """Open one page and note everything but its frame."""
    page.set_viewport_size(DESKTOP)
    answer = go_to(page, address)
    seen.statuses[name] = answer.status
    # Not by a locator, which brings a script of its own into each page: 30 ms.
    seen.headings[name] = page.evaluate(HEADINGS)
    seen.findings[name] = findings_of_axe(page, FRAME)
    page.set_viewport_size(PHONE)
    seen.overflows[name] = page.evaluate(OVERFLOW)


@pytest.fixture(scope="module")
def seen(browser: Browser, office: Office) -> Iterator[Seen]:
    """The tour."""
    panel, agency = office
    seen = Seen()
    with browser.new_context(reduced_motion="reduce") as context:
        context.add_init_script(path=AXE)
        page = context.new_page()
        listen(page, seen.complaints)
        for name, path in SIGNED_OUT.items():
            look_at(page, panel.url + path, name, seen)
        page.set_viewport_size(DESKTOP)
        sign_in(page, panel.url, agency.email)
        for name, path in signed_in_pages(agency).items():
            look_at(page, panel.url + path, name, seen)
        context.clear_cookies()
        page.set_viewport_size(DESKTOP)
        sign_in(page, panel.url, EDITOR)
        for name, path in editors_pages(agency).items():
            look_at(page, panel.url + path, name, seen)
        yield seen


def test_every_page_answers_with_one_main_heading(seen: Seen) -> None:
    refused = {name for name, status in seen.statuses.items() if status != 200}
    assert refused == {"not-found", "second-factor-needed"}
    assert len(seen.statuses) > 30
    assert {name: count for name, count in seen.headings.items() if count != 1} == {}


def test_no_page_makes_the_browser_complain(seen: Seen) -> None:
    """Errors of scripts, refusals of the security policy, missing files."""
    refused = ("there-is-none", "harbour-lights")
    assert [line for line in seen.complaints if not any(word in line for word in refused)] == []


def test_no_page_has_a_serious_finding_of_axe(seen: Seen) -> None:
    assert {name: found for name, found in seen.findings.items() if found} == {}


def test_every_page_fits_a_phone(seen: Seen) -> None:
    assert {name: pixels for name, pixels in seen.overflows.items() if pixels > 0} == {}


def test_axe_finds_what_is_wrong(inside: Page) -> None:
    """The tour would notice: a nameless button and pale words are found."""
    inside.locator("h1").evaluate("heading => (heading.style.color = '#ddd')")
    inside.locator("#account-menu-opens").evaluate("button => button.replaceChildren()")
    found = " ".join(findings_of_axe(inside))
    assert "color-contrast" in found
    assert "button-name" in found


def test_menu_confirmation_and_refusal_have_no_serious_finding(
    inside: Page, office: Office
) -> None:
    panel, agency = office
    inside.click("#account-menu-opens")
    assert findings_of_axe(inside) == []
    go_to(inside, f"{panel.url}/applications/{agency.slug}/environments/test/releases/")
    inside.get_by_role("button", name="Roll back to release 2").click()
    expect(inside.get_by_role("dialog")).to_be_visible()
    assert findings_of_axe(inside) == []
    go_to(inside, f"{panel.url}/applications/new/")
    inside.get_by_label("Name", exact=True).fill("City Museum")
    inside.get_by_role("button", name="Create application").click()
    expect(inside.get_by_text("is taken")).to_be_visible()
    assert findings_of_axe(inside) == []


def test_every_page_comes_with_the_strict_policy(
    inside: Page, office: Office, complaints: list[str]
) -> None:
    panel, agency = office
    answer = go_to(inside, f"{panel.url}/applications/{agency.slug}/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    inside.evaluate("document.body.setAttribute('style', 'opacity: 0.5')")
    assert inside.evaluate("getComputedStyle(document.body).opacity") == "1"
    assert any("Content Security Policy" in line for line in complaints)
