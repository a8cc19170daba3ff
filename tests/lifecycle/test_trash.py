"""The trash: out of sight at once, everything kept, and back as it was."""

from __future__ import annotations

import pytest

from app.adapters.git import GitService
from app.deployments.cleanup import remove_old_images
from app.deployments.models import Build, Deployment, DeploymentStatus
from app.deployments.operations import request_deployment, take_lease
from app.deployments.queries import find_current, list_pushed_environments
from app.deployments.reconcile import reconcile
from app.domains.queries import primary_host
from app.environments.models import Environment
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.installation import installation
from app.lifecycle.models import TrashEntry
from app.lifecycle.trash import restore_environment, trash_application, trash_environment
from app.processes.scheduler import Recurring, enqueue_what_is_due
from app.repositories.access import authorise_git
from app.routes.queries import list_ingress_routes
from tests.deployments import site
from tests.lifecycle.trashing import (
    add,
    any_application,
    any_environment,
    doom,
    entry_of,
    finish,
    restore,
    run_jobs,
    running,
    trash_demo,
    trash_qa,
)
from tests.panel import (
    ALICE,
    BOB,
    Panel,
    environment,
    make_application,
    organisation,
    user_of,
)


def upstreams(panel: Panel) -> dict[str, int]:
    """By host, how many containers the ingress sends visitors to."""
    with panel.reading():
        return {host: len(row.upstreams) for row in list_ingress_routes() for host in row.hosts}


def host_of(panel: Panel, slug: str) -> str:
    with panel.reading():
        return primary_host(any_environment(slug).id)


@pytest.fixture
def deployed(panel: Panel) -> Panel:
    """`demo` with an environment `qa`, both Test and qa deployed."""
    site.commit(panel)
    add(panel)
    for slug in ("test", "qa"):
        assert site.deploy(panel, slug).status == "succeeded"
    panel.queue.jobs.clear()
    return panel


def test_an_environment_goes_and_comes_back_as_it_was(deployed: Panel) -> None:
    panel = deployed
    qa, test = host_of(panel, "qa"), host_of(panel, "test")
    with panel.reading():
        uuid = environment("qa").uuid
        release = find_current(environment("qa").id)
        assert release is not None
        number = release.release_id
    before, served = running(panel, uuid), site.visit(panel, "qa")
    assert upstreams(panel) == {qa: 1, test: 1}
    entry = trash_qa(panel)
    assert upstreams(panel) == {qa: 0, test: 1}
    run_jobs(panel)
    assert running(panel, uuid) == []
    assert running(panel, environment_uuid(panel, "test"))
    with panel.reading():
        assert reconcile(installation()).started == ()
        assert remove_old_images(installation()) == []
    builds = count(panel, Build)
    restore(panel, entry)
    assert upstreams(panel) == {qa: 1, test: 1}
    run_jobs(panel)
    assert running(panel, uuid) == before
    assert site.visit(panel, "qa") == served
    with panel.reading():
        current = find_current(environment("qa").id)
        assert current is not None and current.release_id == number
        assert db.session.scalars(db.select(TrashEntry)).all() == []
    assert count(panel, Build) == builds


def test_an_application_goes_and_comes_back_with_all_it_has(deployed: Panel) -> None:
    panel = deployed
    served = {slug: site.visit(panel, slug) for slug in ("test", "qa")}
    entry = trash_demo(panel)
    run_jobs(panel)
    assert set(upstreams(panel).values()) == {0}
    assert panel.engine.list_containers({}) == []
    restore(panel, entry)
    run_jobs(panel)
    assert {slug: site.visit(panel, slug) for slug in ("test", "qa")} == served
    assert panel.client_of(BOB).get("/applications/demo/").status_code == 200


def test_what_was_in_the_trash_by_itself_stays_there(deployed: Panel) -> None:
    panel = deployed
    qa = trash_qa(panel)
    demo = trash_demo(panel)
    with panel.work(), pytest.raises(Conflict, match="Restore it first"):
        restore_environment(entry_of(qa), user_of(ALICE), panel.store)
    restore(panel, demo)
    run_jobs(panel)
    with panel.reading():
        assert any_environment("qa").is_trashed and not environment("test").is_trashed
    assert upstreams(panel)[host_of(panel, "qa")] == 0
    restore(panel, qa)
    run_jobs(panel)
    assert set(upstreams(panel).values()) == {1}


PATHS = (
    "",
    "environments/",
    "environments/test/",
    "environments/test/variables/",
    "environments/test/logs/",
    "environments/test/releases/",
    "deployments/",
    "repository/",
    "settings/",
    "collaborators/",
    "trash/",
    "delete/",
)


def test_nobody_sees_an_application_in_the_trash(deployed: Panel) -> None:
    panel = deployed
    alice = panel.client_of(ALICE)
    for path in PATHS:
        assert alice.get(f"/applications/demo/{path}").status_code == 200, path
    trash_demo(panel)
    for path in PATHS:
        assert alice.get(f"/applications/demo/{path}").status_code == 404, path
    page = alice.get("/applications/").text
    assert "/applications/demo/" not in page
    assert "/applications/demo/" not in alice.get("/applications/?q=demo").text
    with panel.reading(), pytest.raises(NotFound):
        authorise_git(user_of(ALICE), "demo", GitService.UPLOAD_PACK)


def test_nobody_sees_an_environment_in_the_trash(deployed: Panel) -> None:
    panel = deployed
    alice = panel.client_of(ALICE)
    with panel.reading():
        of_qa = db.select(Deployment.uuid).join(Environment).where(Environment.slug == "qa")
        deployment = db.session.scalars(of_qa).one()
    pages = [
        f"environments/qa/{page}" for page in ("", "variables/", "logs/", "releases/", "delete/")
    ]
    pages.append(f"deployments/{deployment}/")
    for path in pages:
        assert alice.get(f"/applications/demo/{path}").status_code == 200, path
    assert alice.get("/applications/?q=demo--qa").text.count("/applications/demo/") > 0
    trash_qa(panel)
    for path in pages:
        assert alice.get(f"/applications/demo/{path}").status_code == 404, path
    for path in ("", "environments/", "deployments/", "environments/test/variables/"):
        text = alice.get(f"/applications/demo/{path}").text
        assert "environments/qa/" not in text and deployment not in text, path
    assert "Riverside" not in alice.get("/applications/?q=demo--qa").text
    assert 'href="/applications/demo/"' not in alice.get("/applications/?q=demo--qa").text


def test_names_and_hosts_stay_taken(deployed: Panel) -> None:
    panel = deployed
    trash_qa(panel)
    with pytest.raises(Invalid, match="in the trash") as refused:
        add(panel)
    assert refused.value.field == "slug"
    trash_demo(panel)
    with panel.work(), pytest.raises(Invalid, match="taken"):
        make_application(panel, "demo", organisation(), user_of(ALICE))
    with panel.work(), pytest.raises(Invalid, match="belongs to another site"):
        make_application(panel, "demo-stage", organisation(), user_of(ALICE))


def test_test_and_live_go_only_with_the_application(panel: Panel) -> None:
    for slug in ("test", "live"):
        with panel.work(), pytest.raises(Invalid, match="only with it"):
            trash_environment(environment(slug), user_of(ALICE))


def test_a_waiting_deployment_is_cancelled(deployed: Panel) -> None:
    panel = deployed
    site.commit(panel)
    number = site.request(panel, "qa")
    trash_qa(panel)
    row = site.look(panel, number)
    assert row.status == DeploymentStatus.CANCELLED and "trash" in row.sentence
    assert site.run(panel, number).status == DeploymentStatus.CANCELLED


def test_a_running_deployment_is_asked_to_stop_and_left_to_end(deployed: Panel) -> None:
    panel = deployed
    site.commit(panel)
    number = site.request(panel, "qa")
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, number))
    entry = trash_qa(panel)
    assert site.look(panel, number).cancel_requested_at is not None
    before = running(panel, environment_uuid(panel, "qa"))
    with panel.reading():
        reconcile(installation())
    assert running(panel, environment_uuid(panel, "qa")) == before, "the pipeline's own affair"
    job = doom(panel, entry)
    finish(panel, job)
    with panel.reading():
        assert "being stopped first" in entry_of(entry).failure
        assert any_environment("qa").trashed_at is not None


def test_a_page_that_was_open_asks_for_a_deployment_too_late(deployed: Panel) -> None:
    panel = deployed
    with panel.reading():
        stale = environment("qa").id
    trash_qa(panel)
    with panel.work(), pytest.raises(Conflict, match="Restore it first"):
        request_deployment(db.session.get_one(Environment, stale), panel.store, user_of(ALICE))


def test_a_push_does_not_deploy_what_is_in_the_trash(deployed: Panel) -> None:
    panel = deployed
    with panel.work():
        environment("qa").is_deployed_on_push = True
    entry = trash_qa(panel)
    site.commit(panel)
    with panel.reading():
        assert list_pushed_environments() == []
    restore(panel, entry)
    with panel.reading():
        assert list_pushed_environments() == [environment("qa").id]


@pytest.mark.parametrize("is_whole", [True, False], ids=["application", "environment"])
def test_twice_is_refused(deployed: Panel, is_whole: bool) -> None:
    panel = deployed
    entry = (trash_demo if is_whole else trash_qa)(panel)
    with panel.work(), pytest.raises(Conflict, match="already"):
        if is_whole:
            trash_application(any_application(), user_of(ALICE))
        else:
            trash_environment(any_environment("qa"), user_of(ALICE))
    restore(panel, entry)
    with panel.reading():
        assert db.session.scalars(db.select(TrashEntry)).all() == []


def test_what_is_being_deleted_does_not_come_back(deployed: Panel) -> None:
    panel = deployed
    entry = trash_qa(panel)
    doom(panel, entry)
    with pytest.raises(Conflict, match="being deleted for good"):
        restore(panel, entry)
    doom(panel, entry)  # twice is once


def test_an_image_that_is_gone_is_said_and_a_deployment_offered(deployed: Panel) -> None:
    panel = deployed
    entry = trash_qa(panel)
    run_jobs(panel)
    with panel.reading():
        current = find_current(any_environment("qa").id)
        assert current is not None
        tag = current.release.build.tag
    panel.engine.remove_image(tag)
    restore(panel, entry)
    run_jobs(panel)
    with panel.reading():
        assert find_current(environment("qa").id) is None
    page = panel.client_of(ALICE).get("/applications/demo/").text
    assert "is gone, so it cannot be started again" in page
    assert upstreams(panel)[host_of(panel, "qa")] == 0
    assert site.deploy(panel, "qa").status == "succeeded"
    assert upstreams(panel)[host_of(panel, "qa")] == 1


def test_the_reconciler_brings_back_what_the_job_did_not(deployed: Panel) -> None:
    """Redis was away: the rows alone say that it should run."""
    panel = deployed
    entry = trash_qa(panel)
    panel.queue.is_down = True
    restore(panel, entry)
    uuid = environment_uuid(panel, "qa")
    for name in running(panel, uuid):
        panel.engine.remove_container(name)
    with panel.reading():
        reconcile(installation())
    assert running(panel, uuid)


def test_sizes_are_measured_once(deployed: Panel) -> None:
    panel = deployed
    entry = trash_demo(panel)
    run_jobs(panel)
    with panel.reading():
        row = entry_of(entry)
        assert row.measured_at and row.repository_bytes > 0
        assert row.image_bytes == 2_000_000  # two builds of the fake engine
        assert row.log_bytes > 0


def test_sizes_are_measured_although_the_queue_was_down(deployed: Panel) -> None:
    panel = deployed
    panel.queue.is_down = True
    entry = trash_demo(panel)
    panel.queue.is_down = False
    with panel.reading():
        enqueue_what_is_due(Recurring())
    run_jobs(panel)
    with panel.reading():
        assert entry_of(entry).measured_at


def environment_uuid(panel: Panel, slug: str) -> str:
    with panel.reading():
        return any_environment(slug).uuid


def count(panel: Panel, model: type) -> int:
    with panel.reading():
        return db.session.scalar(db.select(db.func.count()).select_from(model)) or 0
