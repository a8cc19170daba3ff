"""Pictures of every page, to look at: `python -m tests.browser.screenshots [name …]`.

Writes `<page>-<look>.png` for a desktop, a phone and the dark theme.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.browsing import CHROMIUM, sign_in
from tests.browser.pages import SIGNED_OUT, editors_pages, signed_in_pages
from tests.browser.panel import Panel, running_panel
from tests.browser.seeding import EMAIL, seed_agency
from tests.browser.seeding_people import EDITOR

LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
}


def take_pictures(folder: Path, wanted: list[str]) -> None:
    """All pages in all looks, or only those whose name begins with one of `wanted`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, running_panel(Path(directory)) as panel:
        agency = seed_agency(panel.app)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**CHROMIUM)
            for look, options in LOOKS.items():
                page = browser.new_context(**options).new_page()
                camera = Camera(page, panel, folder, look, wanted)
                for name, path in SIGNED_OUT.items():
                    camera.take(name, path)
                sign_in(page, panel, EMAIL)
                for name, path in signed_in_pages(agency).items():
                    camera.take(name, path)
                take_moments(camera)
                page.context.clear_cookies()
                sign_in(page, panel, EDITOR)
                for name, path in editors_pages(agency).items():
                    camera.take(name, path)
                page.context.clear_cookies()
                sign_in(page, panel, EMAIL)
                take_variables(camera)
            browser.close()


class Camera:
    """Takes one look's pictures."""

    def __init__(
        self, page: Page, panel: Panel, folder: Path, look: str, wanted: list[str]
    ) -> None:
        self.page, self.panel, self.folder, self.look = page, panel, folder, look
        self.wanted = wanted

    def wants(self, name: str) -> bool:
        return not self.wanted or any(name.startswith(word) for word in self.wanted)

    def take(self, name: str, path: str) -> None:
        if self.wants(name):
            self.page.goto(self.panel.url + path, wait_until="load")
            self.page.wait_for_timeout(250)
            self.keep(name, full=True)

    def keep(self, name: str, full: bool = False) -> None:
        self.page.screenshot(path=self.folder / f"{name}-{self.look}.png", full_page=full)


def take_moments(camera: Camera) -> None:
    """What shows only after a click: menu, confirmation, a new token, a refused form."""
    page, url = camera.page, camera.panel.url
    if camera.wants("moment-menu"):
        page.goto(f"{url}/applications/")
        page.click("#account-menu-opens")
        camera.keep("moment-menu")
    if camera.wants("moment-confirm"):
        page.goto(f"{url}/applications/riverside-bakery/environments/test/releases/")
        page.click("text=Roll back >> nth=0")
        camera.keep("moment-confirm")
    if camera.wants("moment-refused"):
        page.goto(f"{url}/applications/new/")
        page.fill("#name", "City Museum")
        page.click("text=Create application")
        camera.keep("moment-refused", full=True)
    if camera.wants("moment-token"):
        page.goto(f"{url}/account/access-tokens/")
        page.fill("#name", "Laptop")
        page.click("text=Make token")
        camera.keep("moment-token", full=True)


VARIABLES = "/applications/riverside-bakery/environments/live/variables"
PASTED = """SMTP_HOST=mail.example.com
SMTP_PASSWORD='correct horse battery'
SITE_NAME="Riverside Bakery"
MAIL_FROM=hello@riverside-bakery.example
"""


def take_variables(camera: Camera) -> None:
    """Previews, a revealed secret, and two people at once."""
    page, url = camera.page, camera.panel.url
    if camera.wants("moment-variables-paste"):
        page.goto(f"{url}{VARIABLES}/paste/")
        page.fill("#text", PASTED)
        page.click("text=Preview")
        camera.keep("moment-variables-paste", full=True)
        page.fill("#text", PASTED + "2ND=x\nNO SIGN\n")
        page.click("text=Look again")
        camera.keep("moment-variables-paste-refused", full=True)
    if camera.wants("moment-variables-copy"):
        page.goto(f"{url}{VARIABLES}/copy/")
        page.click("text=Preview all")
        camera.keep("moment-variables-copy", full=True)
    if camera.wants("moment-variables-reveal"):
        page.goto(f"{url}{VARIABLES}/")
        page.click("[aria-label='Reveal STRIPE_API_KEY']")
        camera.keep("moment-variables-reveal", full=True)
    if camera.wants("moment-variables-export"):
        page.goto(f"{url}{VARIABLES}/")
        page.click("#export-opens")
        camera.keep("moment-variables-export")
    if camera.wants("moment-variables-overtaken"):
        page.goto(f"{url}{VARIABLES}/?edit=ROBOTS")
        page.fill("#value", "nofollow")
        page.evaluate("document.querySelector('[name=version]').value = '1'")
        page.click("text=Save variable")
        camera.keep("moment-variables-overtaken", full=True)
    if camera.wants("moment-variables-caution"):
        page.goto(f"{url}{VARIABLES}/?edit=DOMAIN_REDIRECTS")
        page.click("text=Save variable")
        camera.keep("moment-variables-caution", full=True)


if __name__ == "__main__":
    take_pictures(Path("test-artifacts/screenshots"), sys.argv[1:])
