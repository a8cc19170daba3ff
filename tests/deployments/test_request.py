"""Asking for deployments: one runs, one waits, and the same commit is the same deployment."""

from __future__ import annotations

import threading

import pytest

from app.applications.models import Starter
from app.audit.models import AuditLine
from app.deployments.jobs import deploy_pushed
from app.deployments.models import Deployment
from app.deployments.operations import (
    request_cancel,
    request_deployment,
    request_roll_back,
    take_lease,
)
from app.deployments.queries import list_releases, startable_deployments
from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Conflict, Invalid
from app.extensions import db
from app.organisations.operations import sign_up
from app.repositories.operations import refresh_branch
from tests.deployments import site
from tests.panel import (
    ALICE,
    PASSWORD,
    Panel,
    environment,
    make_application,
    organisation,
    user_of,
)


def statuses(panel: Panel) -> list[str]:
    with panel.reading():
        return [str(s) for s in db.session.scalars(db.select(Deployment.status).order_by("id"))]


def test_a_request_is_a_row_a_job_and_an_audit_line(panel: Panel) -> None:
    sha = site.commit(panel)
    number = site.request(panel)
    row = site.look(panel, number)
    assert (row.status, row.commit, row.subject) == ("queued", sha, "A change")
    assert panel.queue.jobs == [("app.deployments.jobs.run", (number,))]
    with panel.reading():
        line = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id.desc())).first()
        assert line and (line.action, line.subject) == ("deployment.deploy", "demo/test")
        assert line.details == {"commit": sha, "via": "platform", "by": ALICE.email}


def test_the_same_commit_joins(panel: Panel) -> None:
    assert site.request(panel) == site.request(panel)
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, 1))
    assert site.request(panel) == 1  # it joins the running one, too
    assert statuses(panel) == ["running"]


def test_environments_do_not_share_deployments(panel: Panel) -> None:
    assert site.request(panel, "test") != site.request(panel, "live")


def test_a_newer_commit_takes_the_place_of_the_waiting_one(panel: Panel) -> None:
    first = site.request(panel)
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, first))
    site.commit(panel)
    second = site.request(panel)
    site.commit(panel)
    third = site.request(panel)
    assert statuses(panel) == ["running", "cancelled", "queued"]
    assert site.look(panel, second).sentence == "A newer request took its place."
    with panel.reading():
        assert startable_deployments() == []
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, third)) is None


def ask_in_threads(panel: Panel, count: int) -> tuple[set[int], list[BaseException]]:
    numbers: set[int] = set()
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def ask() -> None:
        start.wait()
        try:
            numbers.add(site.request(panel))
        except Exception as error:  # noqa: BLE001 -- any failure is reported by the assertion
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return numbers, failures


def test_a_hundred_people_at_once_make_one_deployment(panel: Panel) -> None:
    numbers, failures = ask_in_threads(panel, 100)
    assert (numbers, failures) == ({1}, [])
    assert statuses(panel) == ["queued"]
    assert panel.queue.jobs == [("app.deployments.jobs.run", (1,))]


def test_on_postgresql_as_well(postgresql_panel: Panel) -> None:
    panel = postgresql_panel
    with panel.work():
        alice = sign_up(ALICE.email, ALICE.name, PASSWORD)
        make_application(panel, "demo", organisation("alice"), alice)
    numbers, failures = ask_in_threads(panel, 12)
    assert (numbers, failures) == ({1}, [])


def test_a_missing_branch_is_named(panel: Panel) -> None:
    with panel.work():
        wanted = EnvironmentSettings("feature", 1, is_deployed_on_push=False)
        update_environment(environment(), wanted, 1, user_of(ALICE))
    with pytest.raises(Invalid, match="no branch “feature”"):
        site.request(panel)


def test_an_empty_repository_is_said_to_be_empty(panel: Panel) -> None:
    with panel.work():
        make_application(panel, "own", organisation(), user_of(ALICE), Starter.BLANK)
        with pytest.raises(Invalid, match="repository is empty"):
            request_deployment(environment(of="own"), panel.store, user_of(ALICE))


def test_a_refused_request_leads_back_with_the_sentence(panel: Panel) -> None:
    with panel.work():
        wanted = EnvironmentSettings("feature", 1, is_deployed_on_push=False)
        update_environment(environment(), wanted, 1, user_of(ALICE))
    browser = panel.client_of(ALICE)
    page = "http://localhost/applications/demo/"
    path = "/applications/demo/environments/test/deploy/"
    answer = browser.post(path, headers={"Referer": page})
    assert answer.status_code == 303 and answer.headers["Location"] == page
    assert "no branch" in browser.get("/applications/demo/").text
    foreign = browser.post(path, headers={"Referer": "http://evil.example/"})
    assert foreign.status_code == 400


def test_a_waiting_deployment_is_cancelled_at_once(panel: Panel) -> None:
    number = site.request(panel)
    with panel.work():
        request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))
    row = site.look(panel, number)
    assert (row.status, row.sentence) == ("cancelled", "Cancelled by Alice.")
    assert site.run(panel, number).steps == []
    with pytest.raises(Conflict, match="ended already"), panel.work():
        request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))


def test_a_queue_that_is_down_loses_no_request(panel: Panel) -> None:
    panel.queue.is_down = True
    number = site.request(panel)
    with panel.reading():
        assert [row.id for row in startable_deployments()] == [number]


def test_a_push_deploys_once_per_commit(panel: Panel) -> None:
    site.commit(panel)
    with panel.work():
        wanted = EnvironmentSettings("main", 1, is_deployed_on_push=True)
        update_environment(environment(), wanted, 1, user_of(ALICE))
        number = environment().id
    for _ in range(2):
        with panel.reading():
            deploy_pushed(number)
    assert statuses(panel) == ["queued"]
    assert site.run(panel, 1).status == "succeeded"
    with panel.reading():
        deploy_pushed(number)
    assert statuses(panel) == ["succeeded"]


def test_a_push_to_a_branch_that_is_gone_deploys_nothing(panel: Panel) -> None:
    with panel.work():
        wanted = EnvironmentSettings("feature", 1, is_deployed_on_push=True)
        update_environment(environment(), wanted, 1, user_of(ALICE))
        refresh_branch(environment(), panel.store)
        number = environment().id
    with panel.reading():
        deploy_pushed(number)
    assert statuses(panel) == []


def roll_back(panel: Panel, index: int, slug: str = "test") -> int:
    """Ask to go back to the release at `index`, 0 being the newest."""
    with panel.work():
        release = list_releases(environment("test").id)[index]
        return request_roll_back(environment(slug), release, user_of(ALICE)).id


def test_rolling_back_runs_the_old_image_without_build_or_commands(panel: Panel) -> None:
    first = site.commit(panel)
    site.deploy(panel)
    old = site.visit(panel)
    site.commit(panel)
    site.deploy(panel)
    assert site.visit(panel) != old
    builds = len(panel.builder.requests)
    number = roll_back(panel, 1)
    assert roll_back(panel, 1) == number  # asked twice, it is one
    row = site.run(panel, number)
    assert (row.status, row.commit, row.subject) == ("succeeded", first, "Back to release 1")
    assert list(site.steps_of(row)) == [
        "check_services",
        "provision_services",
        "start_containers",
        "wait_until_healthy",
        "switch_traffic",
        "replace_processes",
        "retire",
    ]
    assert site.visit(panel) == old and len(panel.builder.requests) == builds


def test_what_runs_and_what_is_gone_cannot_be_rolled_back_to(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    with pytest.raises(Invalid, match="what runs now"):
        roll_back(panel, 0)
    with pytest.raises(Invalid, match="not kept"):
        roll_back(panel, 0, slug="live")  # another environment's release
    with panel.work():
        list_releases(environment().id)[0].build.removed_at = environment().created_at
    with pytest.raises(IndexError):
        roll_back(panel, 0)
