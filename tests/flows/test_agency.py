"""An agency and its people, each in a browser of their own, on a whole installation."""

from __future__ import annotations

import email
import email.message
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.browsing import CHROMIUM, go_to, listen
from tests.contracts.outbound_fixtures import NameServer
from tests.flows.running_panel import OWNER, PASSWORD, RunningPanel, wait_for
from tests.flows.test_own_domains import ask

SECRET = "knead-fold-and-rest-42"
HOST = "www.harbour-bakery.com"
RECEIVER = "FROM moonbase/static:1\nEXPOSE 80\n"
GREETER = RECEIVER + 'CMD ["sh", "-c", "echo \\"bread; $GREETING\\" > index.html; exec serve"]\n'
NOT_BUILDABLE = "FROM moonbase/static:1\nCOPY there-is-none /site\nEXPOSE 80\n"
DEPLOYMENT_MS = 45_000


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, without a sandbox: tests run as root."""
    return CHROMIUM


@dataclass
class Agency:
    """Everybody has a browser of their own; what a browser complains of is kept."""

    panel: RunningPanel
    browser: Browser
    complaints: list[str]

    @property
    def url(self) -> str:
        """As it stands in mails; cookies belong to this host."""
        return self.panel.settings.panel_url

    def open_browser(self) -> Page:
        page = self.browser.new_context(base_url=self.url, reduced_motion="reduce").new_page()
        listen(page, self.complaints)
        return page

    def enter(self, address: str) -> Page:
        """Sign somebody in who has an account."""
        page = self.open_browser()
        go_to(page, "/account/sign-in/")
        page.get_by_label("E-mail", exact=True).fill(address)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#account-menu-opens")).to_be_visible()
        return page

    def letter(self, address: str, subject: str) -> str:
        """The text of the newest mail to `address` with `subject` in its subject."""
        found: list[str] = []

        def look() -> bool:
            for path in sorted((self.panel.settings.data_dir / "mail").glob("*.eml")):
                letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                assert isinstance(letter, email.message.EmailMessage)
                if letter["To"] == address and subject in letter["Subject"]:
                    found.append(letter.get_content())
            return bool(found)

        wait_for(look, 15, f"no mail to {address}")
        return found[-1]


@pytest.fixture
def agency(panel: RunningPanel, browser: Browser) -> Iterator[Agency]:
    expect.set_options(timeout=15_000)  # a whole installation and a browser share two cores
    made = Agency(panel, browser, [])
    yield made
    expect.set_options(timeout=5_000)
    for context in browser.contexts:
        context.close()


def link_in(text: str) -> str:
    found = re.search(r"https?://\S+", text)
    assert found, text
    return found.group()


def found_organisation(page: Page, name: str) -> str:
    """By the page; returns the address of its members."""
    go_to(page, "/organisations/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create organisation").click()
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    return page.url


def create_site(page: Page, organisation: str, name: str) -> str:
    """By the page, from the static starter; returns its path."""
    go_to(page, "/applications/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Organisation", exact=True).select_option(label=organisation)
    page.get_by_role("button", name="Create application").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return page.url.removesuffix("/")


def press_deploy(page: Page, place: str) -> Locator:
    """On the dashboard; returns what says how the deployment stands."""
    page.get_by_role("button", name=f"Deploy {place}").click()
    expect(page).to_have_url(re.compile("/deployments/[0-9a-f-]{36}/$"))
    return page.locator("#state")


def deploy(page: Page, place: str) -> None:
    expect(press_deploy(page, place)).to_have_text("Succeeded", timeout=DEPLOYMENT_MS)


def invite(agency: Agency, owner: Page, members: str, address: str, role: str) -> str:
    """Returns the link of the mail."""
    go_to(owner, members)
    owner.get_by_label("E-mail", exact=True).fill(address)
    form = owner.locator("form", has=owner.get_by_role("button", name="Send invitation"))
    option = form.get_by_role("option", name=re.compile(f"^{role}")).get_attribute("value")
    form.get_by_label("Role", exact=True).select_option(option)
    form.get_by_role("button", name="Send invitation").click()
    expect(owner.get_by_role("status")).to_contain_text("on its way")
    return link_in(agency.letter(address, "invitation"))


def join(agency: Agency, link: str, name: str) -> Page:
    """Make the account the invitation offers, in a new browser."""
    page = agency.open_browser()
    go_to(page, link)
    page.get_by_label("Your name", exact=True).fill(name)
    page.get_by_label("Choose a password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make an account and join").click()
    expect(page.get_by_role("status")).to_contain_text("Welcome to")
    return page


def give_access(owner: Page, site: str, person: str, access: str) -> None:
    go_to(owner, f"{site}/collaborators/")
    form = owner.locator("form", has=owner.get_by_role("heading", name="Give access"))
    options = form.get_by_label("Member").get_by_role("option")
    form.get_by_label("Member").select_option(options.filter(has_text=person).inner_text())
    may = form.get_by_label("May").get_by_role("option").filter(has_text=access)
    form.get_by_label("May").select_option(may.inner_text())
    form.get_by_role("button", name="Give access").click()
    expect(owner.get_by_role("status")).to_contain_text("Access is given")


def test_everybody_sees_what_they_were_given(agency: Agency) -> None:
    owner = agency.enter(OWNER)
    members = found_organisation(owner, "Harbour Agency")
    theirs = create_site(owner, "Harbour Agency", "Net Loft")
    other = create_site(owner, "Harbour Agency", "Chandlery")
    dora_s_link = invite(agency, owner, members, "dora@harbour.example", "Regular")
    emil_s_link = invite(agency, owner, members, "emil@loft.example", "Site editor")
    dora = join(agency, dora_s_link, "Dora")
    expect(dora.get_by_text("No applications yet")).to_be_visible()
    emil = join(agency, emil_s_link, "Emil")
    expect(emil).to_have_url(f"{agency.url}/sites/")
    expect(emil.get_by_text("No sites yet")).to_be_visible()
    give_access(owner, theirs, "Dora", "Work on it")
    give_access(owner, theirs, "Emil", "Edit content")
    assert agency.complaints == []
    developer_deploys_one_site_only(dora, theirs, other)
    editor_sees_nothing_but_the_site(agency, emil, theirs, members)
    stranger_learns_nothing(agency, [theirs, other, members, emil_s_link])
    go_to(owner, f"{members}../audit/")
    for line in ("Alice invited dora@harbour.example", "Emil accepted the invitation"):
        expect(owner.get_by_role("main")).to_contain_text(line)


def developer_deploys_one_site_only(dora: Page, theirs: str, other: str) -> None:
    go_to(dora, "/applications/")
    expect(dora.get_by_role("link", name="Chandlery")).to_have_count(0)
    dora.get_by_role("link", name="Net Loft").click()
    deploy(dora, "Live")
    assert go_to(dora, f"{other}/").status == 404
    assert go_to(dora, f"{other}/environments/live/variables/").status == 404
    assert go_to(dora, f"{theirs}/delete/").status == 403
    go_to(dora, f"{theirs}/collaborators/")
    expect(dora.get_by_role("button", name="Give access")).to_have_count(0)


def editor_sees_nothing_but_the_site(agency: Agency, emil: Page, theirs: str, members: str) -> None:
    go_to(emil, "/")
    expect(emil).to_have_url(f"{agency.url}/sites/")
    links = emil.get_by_role("navigation", name="Main").get_by_role("link")
    expect(links).to_have_text(["Your sites"])
    emil.get_by_role("link", name="Net Loft", exact=True).click()
    expect(emil.get_by_role("heading", name="Forms")).to_be_visible()
    emil.get_by_role("link", name="Open the site").click()
    expect(emil).to_have_url(f"http://net-loft.localhost:{agency.panel.settings.sites_port}/")
    expect(emil.get_by_text("Net Loft").first).to_be_visible()
    for path in ("/", "/environments/live/", "/environments/live/variables/", "/repository/"):
        assert go_to(emil, f"{theirs}{path}").status in (403, 404), path
    for address in (members, "/operator/"):
        assert go_to(emil, address).status in (403, 404), address
    go_to(emil, "/applications/new/")
    expect(emil.get_by_role("button", name="Create application")).to_have_count(0)


def stranger_learns_nothing(agency: Agency, addresses: list[str]) -> None:
    """Neither that something exists, nor more by having an account."""
    mallory = agency.open_browser()
    for address in addresses[:3]:
        go_to(mallory, address)
        expect(mallory).to_have_url(re.compile("/account/sign-in/"))
    go_to(mallory, "/account/sign-up/")
    mallory.get_by_label("Name", exact=True).fill("Mallory")
    mallory.get_by_label("E-mail", exact=True).fill("mallory@elsewhere.example")
    mallory.get_by_label("Password", exact=True).fill(PASSWORD)
    mallory.get_by_role("button", name="Make account").click()
    expect(mallory.get_by_text("No applications yet")).to_be_visible()
    nothing = go_to(mallory, f"{agency.url}/applications/there-is-none/")
    assert nothing.status == 404
    for address in addresses:
        assert go_to(mallory, address).status == 404, address
    go_to(mallory, "/search/?q=loft")
    expect(mallory.get_by_text("Net Loft")).to_have_count(0)


def test_what_is_set_waits_is_deployed_and_survives_the_trash(
    agency: Agency, name_server: NameServer
) -> None:
    owner = agency.enter(OWNER)
    found_organisation(owner, "Quay Agency")
    site = create_site(owner, "Quay Agency", "Harbour Bakery")
    agency.panel.push("harbour-bakery", {"Dockerfile": GREETER})
    go_to(owner, f"{site}/")
    deploy(owner, "Live")
    assert answer(agency, "harbour-bakery.localhost") == (200, "bread;")
    set_secret(owner, site)
    own_domain(owner, site, name_server)
    seen_waiting(owner, site)
    assert answer(agency, "harbour-bakery.localhost") == (200, "bread;")
    assert answer(agency, HOST)[0] == 404
    owner.get_by_role("button", name="Deploy Live").click()
    expect(owner.locator("#state")).to_have_text("Succeeded", timeout=DEPLOYMENT_MS)
    expect(owner.get_by_role("region", name="What changed")).to_contain_text("GREETING")
    for host in (HOST, "harbour-bakery.localhost"):
        assert answer(agency, host) == (200, f"bread; {SECRET}")
    go_to(owner, f"{site}/environments/live/waiting/")
    expect(owner.get_by_text("Nothing waits")).to_be_visible()
    delete_and_restore(agency, owner, site)
    fail_and_be_told(agency, owner, site)
    assert agency.complaints == []


def answer(agency: Agency, host: str) -> tuple[int, str]:
    status, _, body = ask(agency.panel, host)
    return status, body.strip()


def set_secret(owner: Page, site: str) -> None:
    go_to(owner, f"{site}/environments/live/variables/")
    owner.get_by_label("Name", exact=True).fill("GREETING")
    owner.get_by_label("Value", exact=True).fill(SECRET)
    owner.get_by_label("Secret: masked").check()
    owner.get_by_role("button", name="Save variable").click()
    expect(owner.get_by_role("status")).to_contain_text("GREETING is saved")
    assert SECRET not in owner.content()


def own_domain(owner: Page, site: str, name_server: NameServer) -> None:
    go_to(owner, f"{site}/environments/live/domains/")
    owner.get_by_label("Domain", exact=True).fill(HOST)
    owner.get_by_role("button", name="Add domain").click()
    record = owner.get_by_role("region", name=HOST).locator(".record").first
    expect(record.locator("dd > code")).to_have_count(3)
    kind, name, value = record.locator("dd > code").all_inner_texts()
    assert kind == "TXT"
    owner.get_by_role("button", name="Check now").click()
    expect(owner.get_by_text("There is no TXT record")).to_be_visible()
    name_server.set(name, kind, f'"{value}"')
    owner.get_by_role("button", name="Check now").click()
    expect(owner.get_by_role("status")).to_contain_text(f"{HOST} is yours")


def seen_waiting(owner: Page, site: str) -> None:
    """On the dashboard, where one comes from, and on the page of all that waits."""
    go_to(owner, f"{site}/")
    live = owner.get_by_role("region", name="Live", exact=True)
    expect(live.get_by_role("link", name="harbour-bakery.localhost")).to_be_visible()
    live.get_by_role("link", name=re.compile("2 changes wait")).click()
    waiting = owner.get_by_role("listitem")
    expect(waiting.filter(has_text="GREETING")).to_contain_text("secret, not shown")
    expect(waiting.filter(has_text=HOST)).to_contain_text("Domain")
    assert SECRET not in owner.content()


def delete_and_restore(agency: Agency, owner: Page, site: str) -> None:
    go_to(owner, f"{site}/settings/")
    owner.get_by_role("link", name=re.compile("^Delete")).click()
    owner.get_by_label("Name", exact=True).fill("Harbour Baker")
    owner.get_by_role("button", name="Move to the trash").click()
    expect(owner.get_by_text("This is not the name")).to_be_visible()
    owner.get_by_label("Name", exact=True).fill("Harbour Bakery")
    owner.get_by_role("button", name="Move to the trash").click()
    expect(owner.get_by_role("status")).to_contain_text("is in the trash")
    hosts = (HOST, "harbour-bakery.localhost")
    wait_for(lambda: all(answer(agency, host)[0] != 200 for host in hosts), 20, "it answers on")
    go_to(owner, "/organisations/quay-agency/trash/")
    owner.get_by_role("button", name="Restore Harbour Bakery").click()
    expect(owner.get_by_role("status")).to_contain_text("Harbour Bakery is back")
    back = (200, f"bread; {SECRET}")
    wait_for(lambda: all(answer(agency, host) == back for host in hosts), 30, "it stays away")


def fail_and_be_told(agency: Agency, owner: Page, site: str) -> None:
    """A broken commit: the page and a mail say why, and visitors notice nothing."""
    agency.panel.push("harbour-bakery", {"Dockerfile": NOT_BUILDABLE})
    go_to(owner, f"{site}/")
    expect(press_deploy(owner, "Live")).to_have_text("Failed", timeout=DEPLOYMENT_MS)
    expect(owner.get_by_text("Visitors noticed nothing")).to_be_visible()
    told = agency.letter(OWNER, "Harbour Bakery: deployment to Live failed")
    assert owner.url in told
    assert SECRET not in told
    assert answer(agency, HOST) == (200, f"bread; {SECRET}")
