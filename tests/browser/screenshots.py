"""Pictures of every page, to look at: `python -m tests.browser.screenshots [name …]`.

Writes `<page>-<look>.png` for a desktop, a phone and the dark theme.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.addons.archives import archive
from tests.browser.browsing import CHROMIUM, go_to, sign_in
from tests.browser.pages import SIGNED_OUT, editors_pages, signed_in_pages
from tests.browser.panel import Panel, running_panel
from tests.browser.seeding import EMAIL, seed_agency
from tests.browser.seeding_addons import HOURS
from tests.browser.seeding_people import EDITOR
from tests.browser.seeding_site_addons import NOTICE

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
                sign_in(page, panel.url, EMAIL)
                for name, path in signed_in_pages(agency).items():
                    camera.take(name, path)
                take_moments(camera)
                page.context.clear_cookies()
                sign_in(page, panel.url, EDITOR)
                for name, path in editors_pages(agency).items():
                    camera.take(name, path)
                take_forms(camera)
                page.context.clear_cookies()
                sign_in(page, panel.url, EMAIL)
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
            go_to(self.page, self.panel.url + path)
            self.page.wait_for_timeout(250)
            self.keep(name, full=True)

    def keep(self, name: str, full: bool = False) -> None:
        self.page.screenshot(path=self.folder / f"{name}-{self.look}.png", full_page=full)


def take_moments(camera: Camera) -> None:
    """What shows only after a click: menu, confirmation, a new token, a refused form."""
    page, url = camera.page, camera.panel.url
    if camera.wants("moment-menu"):
        go_to(page, f"{url}/applications/")
        page.click("#account-menu-opens")
        camera.keep("moment-menu")
    if camera.wants("moment-confirm"):
        go_to(page, f"{url}/applications/riverside-bakery/environments/test/releases/")
        page.click("text=Roll back >> nth=0")
        camera.keep("moment-confirm")
    if camera.wants("moment-addon"):
        take_upload(camera)
    if camera.wants("moment-refused"):
        go_to(page, f"{url}/applications/new/")
        page.fill("#name", "City Museum")
        page.click("text=Create application")
        camera.keep("moment-refused", full=True)
    if camera.wants("moment-token"):
        go_to(page, f"{url}/account/access-tokens/")
        page.fill("#name", "Laptop")
        page.click("text=Make token")
        camera.keep("moment-token", full=True)


def take_upload(camera: Camera) -> None:
    """A name that is refused, and an archive with all that is wrong with it."""
    page, url = camera.page, camera.panel.url
    go_to(page, f"{url}/addons/new/")
    page.fill("#package_name", "northlight_opening_hours")
    page.fill("#name", "Opening hours")
    page.click("text=Create addon")
    camera.keep("moment-addon-refused", full=True)
    go_to(page, f"{url}/addons/{HOURS}/upload/")
    broken = archive("1.1.1", HOURS, {"aldryn_config.py": BROKEN_FORM})
    file = {"name": f"{HOURS}.tar.gz", "mimeType": "application/gzip", "buffer": broken}
    page.set_input_files("#app", [file])
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("heading", name="It was not taken").wait_for()
    camera.keep("moment-addon-findings", full=True)


BROKEN_FORM = (
    "from aldryn_client import forms\n\nclass Form(forms.BaseForm):\n    x = forms.Magic()\n"
)
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
        go_to(page, f"{url}{VARIABLES}/paste/")
        page.fill("#text", PASTED)
        page.click("text=Preview")
        camera.keep("moment-variables-paste", full=True)
        page.fill("#text", PASTED + "2ND=x\nNO SIGN\n")
        page.click("text=Look again")
        camera.keep("moment-variables-paste-refused", full=True)
    if camera.wants("moment-variables-copy"):
        go_to(page, f"{url}{VARIABLES}/copy/")
        page.click("text=Preview all")
        camera.keep("moment-variables-copy", full=True)
    if camera.wants("moment-variables-reveal"):
        go_to(page, f"{url}{VARIABLES}/")
        page.click("[aria-label='Reveal STRIPE_API_KEY']")
        camera.keep("moment-variables-reveal", full=True)
    if camera.wants("moment-variables-export"):
        go_to(page, f"{url}{VARIABLES}/")
        page.click("#export-opens")
        camera.keep("moment-variables-export")
    if camera.wants("moment-variables-overtaken"):
        go_to(page, f"{url}{VARIABLES}/?edit=ROBOTS")
        page.fill("#value", "nofollow")
        page.evaluate("document.querySelector('[name=version]').value = '1'")
        page.click("text=Save variable")
        camera.keep("moment-variables-overtaken", full=True)
    if camera.wants("moment-variables-caution"):
        go_to(page, f"{url}{VARIABLES}/?edit=DOMAIN_REDIRECTS")
        page.click("text=Save variable")
        camera.keep("moment-variables-caution", full=True)


def take_forms(camera: Camera) -> None:
    """An addon's form: previewed, and refused."""
    page, url = camera.page, camera.panel.url
    if camera.wants("moment-form"):
        go_to(page, f"{url}/sites/riverside-bakery/forms/{NOTICE}/")
        page.get_by_label("Notice").fill("We are back")
        page.get_by_label("Key of the map").fill("a secret")
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Save").wait_for()
        camera.keep("moment-form-preview", full=True)
        page.get_by_label("Notice").fill("closed")
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("Say when you open again.").wait_for()
        camera.keep("moment-form-refused", full=True)


if __name__ == "__main__":
    take_pictures(Path("test-artifacts/screenshots"), sys.argv[1:])
