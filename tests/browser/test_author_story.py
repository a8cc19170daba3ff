"""An author and a package: registered, packed from the downloaded files, refused, mended, trusted,
installed on a site, and followed by a better version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browsing import go_to
from tests.browser.test_addon_story import Shop, enter
from tests.browser.test_every_page import findings_of_axe
from tests.deployments import site as deploying
from tests.panel import ALICE, Panel, copy_panel

NAME = "susan-example-application"
FORM = """\
from aldryn_client import forms


class Form(forms.BaseForm):
    welcome = forms.CharField("Welcome", initial="Hello", max_length=40)
    {more}

    def to_settings(self, data, settings):
        settings["SUSAN_WELCOME"] = data["welcome"]
        return settings
"""


@pytest.fixture
def shop(panel_template: Path, tmp_path: Path) -> Iterator[Shop]:
    """`demo` has a first commit."""
    panel = copy_panel(panel_template, tmp_path / "data")
    deploying.commit(panel)
    with panel.served() as (host, port):
        yield panel, f"http://{host}:{port}"
    panel.close()


class Desk:
    """The author's folder, and the commands that the upload page tells them to type."""

    def __init__(self, folder: Path, page: Page) -> None:
        self.folder, self.page = folder, page
        self.source = folder / NAME

    def unpack(self) -> None:
        with self.page.expect_download() as coming:
            self.page.get_by_role("link", name="Download all").click()
        coming.value.save_as(self.folder / "files.zip")
        with zipfile.ZipFile(self.folder / "files.zip") as packed:
            packed.extractall(self.folder)

    def write(self, version: str, more: str = "") -> None:
        (self.source / "aldryn_config.py").write_text(FORM.format(more=more))
        inner = self.source / NAME.replace("-", "_")
        (inner / "__init__.py").write_text(f'__version__ = "{version}"\n')

    def upload(self, url: str) -> None:
        """Pack by the page's own commands, and send it by its form."""
        go_to(self.page, f"{url}/addons/{NAME}/upload/")
        text = self.page.content().split("by hand", 1)[1]
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": "/tmp"}
        for command in map(unescape, re.findall(r"<code>(.+?)</code>", text)):
            subprocess.run(
                ["sh", "-c", command], cwd=self.source, env=environment, check=True, timeout=60
            )
        self.page.locator("input[type=file]").set_input_files(self.folder / f"{NAME}.tar.gz")
        self.page.get_by_role("button", name="Upload", exact=True).click()


def move(page: Page, channel: str) -> None:
    page.get_by_role("button", name=f"Move to {channel}").click()
    expect(page.get_by_role("button", name=f"Move to {channel}")).to_have_count(0)


def test_from_the_name_to_stable_onto_a_site_and_on_to_the_next_version(
    page: Page, shop: Shop, tmp_path: Path, complaints: list[str]
) -> None:
    url = shop[1]
    enter(page, shop, ALICE)
    go_to(page, f"{url}/addons/new/")
    page.get_by_label("Package name").fill(NAME)
    page.get_by_label("Name", exact=True).fill("Susan’s welcome")
    page.get_by_label("Licence").select_option("MIT")
    page.get_by_label("Organisation", exact=True).select_option("moon")
    page.get_by_role("button", name="Create addon").click()
    desk = Desk(tmp_path, page)
    desk.unpack()

    desk.write("1.0", "colour = forms.ColourField('Colour')")
    (desk.source / "LICENSE").unlink()
    desk.upload(url)
    expect(page.get_by_text("It was not taken")).to_be_visible()
    expect(page.get_by_text("There is no licence.")).to_be_visible()
    expect(page.get_by_text("aldryn_config.py, line 6").first).to_be_visible()
    assert findings_of_axe(page) == []

    (desk.source / "LICENSE").write_text("MIT\n")
    desk.write("1.0")
    desk.upload(url)
    expect(page.get_by_text("Version 1.0 is in the Alpha channel.")).to_be_visible()
    move(page, "Beta")
    move(page, "Stable")

    install(page, url)
    desk.write("1.1", 'footer = forms.CharField("Footer", required=False)')
    desk.upload(url)
    expect(page.get_by_text("Version 1.1 is in the Alpha channel.")).to_be_visible()
    go_to(page, f"{url}/applications/demo/addons/")
    expect(page.get_by_text("Upgrade…")).to_have_count(0)
    go_to(page, f"{url}/addons/{NAME}/versions/1.1/")
    move(page, "Stable")
    upgrade(page, shop[0], url)
    assert complaints == []


def install(page: Page, url: str) -> None:
    """On `demo`, from the marketplace."""
    go_to(page, f"{url}/marketplace/?q=susan")
    page.get_by_role("link", name="Susan’s welcome").click()
    page.get_by_label("Site", exact=True).select_option("demo")
    page.get_by_role("button", name="Go on to install").click()
    page.get_by_label("Welcome").fill("Good morning")
    page.get_by_role("button", name="Install version 1.0").click()
    expect(page.get_by_text("is saved in the site. It goes live when you publish.")).to_be_visible()


def upgrade(page: Page, panel: Panel, url: str) -> None:
    """The site is told of it; what was filled in stays."""
    go_to(page, f"{url}/applications/demo/addons/")
    page.get_by_role("link", name="Upgrade…").click()
    expect(page.get_by_text("Version 1.1 is available")).to_be_visible()
    assert findings_of_axe(page) == []
    page.get_by_role("button", name="Upgrade to 1.1").click()
    go_to(page, f"{url}/applications/demo/addons/{NAME}/")
    expect(page.get_by_label("Footer")).to_be_visible()
    assert page.get_by_label("Welcome").input_value() == "Good morning"
