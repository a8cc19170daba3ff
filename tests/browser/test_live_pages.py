"""Pages that stay true by themselves: a deployment, its environment's log, the dashboard."""

from __future__ import annotations

import datetime

import pytest
from playwright.sync_api import Page, expect

from app.applications.models import Starter
from app.deployments.models import Deployment, DeploymentStatus, DeploymentStep, StepStatus
from app.deployments.operations import request_deployment
from app.environments.queries import list_environments
from app.extensions import db, now
from app.installation import installation
from app.lifecycle.operations import NewApplication, create_application
from app.logs.queries import log_store
from app.organisations.queries import list_organisations
from app.transactions import unit_of_work
from tests.browser.browsing import go_to, sign_in
from tests.browser.panel import Panel, find_person

EMAIL = "alice@example.com"
SITE = "/applications/demo"


@pytest.fixture
def site(panel: Panel, page: Page) -> Panel:
    """A panel with Alice signed in and her site “demo”."""
    panel.add_person(EMAIL, "Alice")
    with panel.app.app_context(), unit_of_work():
        alice = find_person(EMAIL)
        here = installation()
        wanted = NewApplication("Demo", "demo", Starter.STATIC)
        organisation = list_organisations(alice)[0]
        create_application(wanted, organisation, alice, here.adapters.repositories, here.settings)
    sign_in(page, panel.url, EMAIL)
    return panel


class Worker:
    """Plays the worker of one deployment of Test, step by step."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        with panel.app.app_context(), unit_of_work():
            alice = find_person(EMAIL)
            environment = list_environments(1)[0]
            store = installation().adapters.repositories
            self.uuid = request_deployment(environment, store, alice).uuid

    def begin(self) -> None:
        with self.panel.app.app_context(), unit_of_work():
            row = self._row()
            row.status = DeploymentStatus.RUNNING
            row.started_at = row.heartbeat_at = now() - datetime.timedelta(seconds=65)
            row.steps.append(DeploymentStep(name="check_out", started_at=now()))

    def end_step(self, status: StepStatus) -> None:
        with self.panel.app.app_context(), unit_of_work():
            step = self._row().steps[-1]
            step.status, step.ended_at = status, now()

    def say(self, text: str) -> None:
        with self.panel.app.app_context():
            log_store().deployment(self.uuid).append(text)

    def end(self, status: DeploymentStatus, sentence: str = "", advice: str = "") -> None:
        with self.panel.app.app_context(), unit_of_work():
            row = self._row()
            row.status, row.sentence, row.advice = status, sentence, advice
            row.ended_at = now()

    def _row(self) -> Deployment:
        return db.session.scalars(db.select(Deployment).where(Deployment.uuid == self.uuid)).one()


def test_a_deployment_is_watched_until_its_end(
    page: Page, site: Panel, complaints: list[str]
) -> None:
    worker = Worker(site)
    go_to(page, f"{site.url}{SITE}/deployments/{worker.uuid}/")
    expect(page.locator("#state")).to_have_text("Waiting")
    worker.begin()
    expect(page.locator("#state")).to_have_text("Running")
    expect(page.locator("#step-check_out")).to_have_text("Running")
    worker.say("===== check out =====\nCommit 1234\nhalf a l")
    expect(page.locator("#L2")).to_contain_text("Commit 1234")
    expect(page.locator("#L1")).to_have_class("log-line log-heading")
    worker.say("ine\n<b>not bold</b>\n")
    expect(page.locator("#L3")).to_have_text("3half a line")
    expect(page.locator("#L4")).to_contain_text("<b>not bold</b>")
    expect(page.locator("[data-seconds=total]")).to_contain_text("1 min")
    worker.end_step(StepStatus.FAILED)
    expect(page.locator("#step-check_out")).to_have_text("Failed")
    worker.end(DeploymentStatus.FAILED, "The repository was away.", "Deploy again.")
    expect(page.get_by_role("heading", name="The repository was away.")).to_be_visible()
    expect(page.get_by_text("Deploy again.", exact=True)).to_be_visible()
    expect(page.locator("#state")).to_have_text("Failed")
    expect(page.locator("#L4")).to_contain_text("<b>not bold</b>")
    assert complaints == []


def test_times_go_on_between_two_messages(page: Page, site: Panel) -> None:
    worker = Worker(site)
    worker.begin()
    go_to(page, f"{site.url}{SITE}/deployments/{worker.uuid}/")
    clock = page.locator("[data-seconds=total]")
    expect(clock).to_contain_text("1 min")
    first = clock.text_content()
    expect(clock).not_to_have_text(first or "")


def test_the_log_is_searched_linked_and_followed(page: Page, site: Panel) -> None:
    worker = Worker(site)
    worker.begin()
    worker.say("".join(f"line {number} of many\n" for number in range(1, 301)))
    address = f"{site.url}{SITE}/deployments/{worker.uuid}/"
    go_to(page, address)
    follow = page.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#L300")).to_be_in_viewport()
    page.get_by_label("Show lines with").fill("LINE 29")
    expect(page.locator("[data-log-tally]")).to_have_text("11 lines")
    expect(page.locator("#L28")).to_be_hidden()
    worker.say("line 29 once more\nand another\n")
    expect(page.locator("[data-log-tally]")).to_have_text("12 lines")
    page.get_by_label("Show lines with").fill("")
    expect(page.locator("#L302")).to_be_in_viewport()
    page.locator("[data-log-box]").evaluate("box => box.scrollTo(0, 0)")
    expect(follow).to_have_attribute("aria-pressed", "false")
    worker.say("one more\n")
    expect(page.locator("#L303")).to_be_attached()
    expect(page.locator("#L303")).not_to_be_in_viewport()
    page.goto("about:blank")
    go_to(page, f"{address}#L150")
    expect(page.locator("#L150")).to_be_in_viewport()
    expect(page.locator("#L150")).to_have_css("background-color", "rgb(253, 243, 220)")


def test_the_log_of_an_environment_goes_on(page: Page, site: Panel) -> None:
    with site.app.app_context():
        uuid = list_environments(1)[0].uuid
    go_to(page, f"{site.url}{SITE}/environments/test/logs/")
    expect(page.get_by_text("Nothing yet.", exact=False)).to_be_visible()
    expect(page.locator("[data-log-state]")).to_have_text("Live")
    with site.app.app_context():
        log_store().runtime(uuid).append("\x1b[32m[web-1]\x1b[0m hello\n")
    expect(page.locator("#L1 span")).to_have_text("[web-1] hello")
    expect(page.get_by_text("Nothing yet.", exact=False)).to_have_count(0)


def test_the_dashboard_renews_itself(page: Page, site: Panel) -> None:
    worker = Worker(site)
    go_to(page, f"{site.url}{SITE}/")
    card = page.get_by_role("region", name="Test", exact=True)
    expect(card).to_contain_text("Waiting for a worker")
    page.get_by_role("button", name="Deploy Test").focus()
    worker.begin()
    expect(card).to_contain_text("Being deployed now")
    expect(page.get_by_role("button", name="Deploy Test")).to_be_focused()
    worker.end(DeploymentStatus.FAILED, "The build failed.")
    expect(card).to_contain_text("Last deployment failed")
    expect(card).to_contain_text("The build failed.")
