"""Publishing in two steps: to the test site, then to the live one."""

from __future__ import annotations

import html

from flask.testing import FlaskClient

from app.deployments.models import Deployment, DeploymentStatus
from app.environments.models import Environment
from app.extensions import db
from app.repositories.operations import refresh_branch
from app.repositories.queries import load_repository
from app.variables.operations import set_variable
from tests.deployments import site as deploying
from tests.panel import ALICE, DORA, EVE, Panel, application, environment, user_of
from tests.publishing import sample

PUBLISH = "/sites/demo/publish/"
ADDONS = "/applications/demo/addons/"


def words(browser: FlaskClient, path: str = PUBLISH) -> str:
    return html.unescape(sample.words_of(browser.get(path).text))


def run_newest(panel: Panel) -> str:
    """Run what waits as a worker does; how it ended."""
    with panel.reading():
        number = db.session.scalars(db.select(db.func.max(Deployment.id))).one()
    return deploying.run(panel, number).status


def publish(panel: Panel, browser: FlaskClient, where: str) -> str:
    seen = ""
    if where == "live":
        seen = sample.hidden(browser.get(PUBLISH).text, "seen")
    answer = browser.post(f"{PUBLISH}{where}/", data={"seen": seen})
    assert answer.status_code == 303, answer.text
    return run_newest(panel)


def buildable(panel: Panel) -> None:
    """A Dockerfile that the engine of the tests runs."""
    deploying.commit(panel)


def test_an_editor_publishes_in_two_steps(site: Panel) -> None:
    buildable(site)
    eve = site.client_of(EVE)
    page = words(eve)
    assert "Saved, and not on the test site yet: Opening hours: installed by Alice" in page
    assert "Publish to the test site first" in page and "Publish to the live site" not in page
    assert eve.post(PUBLISH + "test/").status_code == 303
    assert "Publishing… it begins in a moment" in words(eve)
    assert 'data-refresh="1"' in eve.get(PUBLISH).text
    assert run_newest(site) == "succeeded"
    page = words(eve)
    assert "The test site shows everything that is saved." in page
    assert "Visitors do not see this yet:" in page and "Publish to the live site" in page
    assert "On the test site, not live yet" in words(eve, "/sites/demo/")
    assert publish(site, eve, "live") == "succeeded"
    assert "Visitors see everything that is saved." in words(eve)
    assert "Published" in words(eve, "/sites/demo/")
    assert "addons_notice" not in eve.get("/sites/demo/").text
    alice = site.client_of(ALICE)
    assert "addons-notice" not in alice.get("/applications/demo/").text
    assert "Visitors see everything" in words(alice, "/applications/demo/publish/")


def test_it_says_what_goes_along_when_more_than_the_change_waits(site: Panel) -> None:
    buildable(site)
    eve, alice = site.client_of(EVE), site.client_of(ALICE)
    publish(site, eve, "test")
    publish(site, eve, "live")
    sample.save(site, DORA, notice="New")
    with site.work():
        sample.commit_files(application(), site.store, {"a.txt": b"1"})
        for slug in ("test", "live"):
            refresh_branch(environment(slug), site.store)
        set_variable(environment("live"), "COLOUR", "blue", False, user_of(ALICE))
    page = words(eve)
    assert "Opening hours: saved by Dora" in page and "More than this goes along" in page
    assert "1 change by the people who build the site." in page
    assert "1 other setting of the site." in page and "COLOUR" not in page
    technical = words(alice, "/applications/demo/publish/")
    assert "By hand" in technical and "COLOUR" in technical
    assert "1 addon has changes that are not live yet." in words(alice, "/applications/demo/")


def test_a_secret_alone_waits_to_be_published_too(site: Panel) -> None:
    buildable(site)
    eve = site.client_of(EVE)
    publish(site, eve, "test")
    publish(site, eve, "live")
    with site.reading():
        before = sample.tip(site)
    sample.save_secret(site, "hush")
    with site.reading():
        assert sample.tip(site) == before
    assert "Saved, not published yet" in words(eve, "/sites/demo/")
    assert publish(site, eve, "test") == "succeeded"
    assert "On the test site, not live yet" in words(eve, "/sites/demo/")
    assert publish(site, eve, "live") == "succeeded"
    assert "Saved, not published yet" not in words(eve, "/sites/demo/")


def test_nothing_goes_live_that_the_person_was_not_told_of(site: Panel) -> None:
    buildable(site)
    eve = site.client_of(EVE)
    publish(site, eve, "test")
    seen = sample.hidden(eve.get(PUBLISH).text, "seen")
    sample.save(site, DORA, notice="Later")
    answer = eve.post(PUBLISH + "live/", data={"seen": seen})
    assert answer.status_code == 409 and "Something was saved after you opened" in answer.text
    with site.reading():
        rows = db.session.scalars(
            db.select(Deployment).join(Environment).where(Environment.slug == "live")
        )
        assert list(rows) == []


def test_a_failure_is_told_without_its_reason_to_editors(site: Panel) -> None:
    with site.work():
        sample.commit_files(application(), site.store, {"Dockerfile": b"FROM nowhere:1\n"})
    eve = site.client_of(EVE)
    assert publish(site, eve, "test") == DeploymentStatus.FAILED
    page = words(eve)
    assert "It could not be published; the site stays as it was. Moon can see why." in page
    assert "See why" in words(site.client_of(ALICE), "/applications/demo/publish/")


def test_live_is_brought_to_where_test_is(site: Panel) -> None:
    buildable(site)
    with site.work():
        key = load_repository(application().id).uuid
        live = environment("live")
        live.branch = "live"
    sample.branch_off(site, "live")
    sample.save(site, DORA, notice="New")
    eve = site.client_of(EVE)
    publish(site, eve, "test")
    assert publish(site, eve, "live") == "succeeded"
    with site.reading():
        assert site.store.resolve(key, "live") == sample.tip(site)
    assert "Visitors see everything that is saved." in words(eve)


def test_live_with_changes_of_its_own_is_for_a_developer(site: Panel) -> None:
    buildable(site)
    with site.work():
        environment("live").branch = "live"
    sample.branch_off(site, "live")
    with site.work():
        sample.commit_files(application(), site.store, {"own.txt": b"1"}, "live")
    eve = site.client_of(EVE)
    publish(site, eve, "test")
    page = words(eve)
    assert "A developer must bring them together first." in page
    assert "Publish to the live site" not in page
    with site.reading():
        seen = sample.tip(site)
    assert eve.post(PUBLISH + "live/", data={"seen": seen}).status_code == 409


def test_a_removed_addon_is_named_until_the_live_site_is_without_it(site: Panel) -> None:
    buildable(site)
    alice = site.client_of(ALICE)
    publish(site, alice, "test")
    publish(site, alice, "live")
    data = {"name": "Opening hours"}
    path = f"{ADDONS}{sample.NAME}/remove/"
    data["seen"] = sample.hidden(alice.get(path).text, "seen")
    assert alice.post(path, data=data).status_code == 303
    assert "the live site still has it" in words(alice, ADDONS)
    publish(site, alice, "test")
    publish(site, alice, "live")
    assert "the live site still has it" not in words(alice, ADDONS)
