"""From a push to a live page and back, with every process real."""

from __future__ import annotations

from urllib.parse import quote

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.deployments.models import DeploymentStatus
from app.deployments.operations import request_roll_back
from app.deployments.queries import list_deployments, list_releases
from app.environments.operations import EnvironmentSettings, update_environment
from app.environments.queries import find_environment
from app.extensions import db
from app.logs.queries import log_store
from app.repositories.queries import find_tracked_branch
from app.transactions import unit_of_work
from app.variables.operations import set_variable
from tests.contracts.git_client import GitClient
from tests.flows.running_panel import OWNER, RunningPanel, wait_for


def test_a_pushed_page_is_served_and_the_next_one_replaces_it(panel: RunningPanel) -> None:
    panel.create_application("first")
    panel.push_page("first", "one")
    done = panel.deploy("first")
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    assert panel.get("first").body == "one"
    panel.push_page("first", "two")
    done = panel.deploy("first")
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    assert panel.get("first").body == "two"
    assert done.receipt is not None
    assert done.receipt.sent > 0
    assert done.receipt.failed == 0


def test_a_push_deploys_by_itself_where_that_is_wanted(panel: RunningPanel) -> None:
    panel.create_application("eager")
    with panel.app.app_context(), unit_of_work():
        application = find_application("eager")
        owner = find_user(OWNER)
        assert application and owner
        test = find_environment(application.id, "test")
        assert test
        update_environment(test, EnvironmentSettings("main", 1, True), 4, owner)
    panel.push_page("eager", "by itself")
    wait_for(lambda: panel.get("eager", "test").body == "by itself", 20)
    with panel.app.app_context():
        application = find_application("eager")
        assert application
        row = db.session.scalars(list_deployments(application.id)).one()
        assert row.actor is not None
        assert row.actor.email == OWNER


def test_live_takes_the_image_that_test_has_built(panel: RunningPanel) -> None:
    panel.create_application("twice")
    panel.push_page("twice", "one image")
    assert panel.deploy("twice", "test").status == DeploymentStatus.SUCCEEDED
    done = panel.deploy("twice", "live")
    assert "exists already" in panel.log(done.uuid)
    assert panel.get("twice", "live").body == "one image"


def test_live_runs_several_containers_and_rolls_back_without_a_build(panel: RunningPanel) -> None:
    panel.create_application("several")
    with panel.app.app_context(), unit_of_work():
        application, owner = find_application("several"), find_user(OWNER)
        assert application and owner
        live = find_environment(application.id, "live")
        assert live
        update_environment(live, EnvironmentSettings("main", 3, False), 4, owner)
    panel.push_page("several", "one")
    first = panel.deploy("several")
    assert len([name for name in panel.containers() if first.uuid[:13] in name]) == 3
    panel.push_page("several", "two")
    panel.deploy("several")
    with panel.app.app_context(), unit_of_work():
        application, owner = find_application("several"), find_user(OWNER)
        assert application and owner
        live = find_environment(application.id, "live")
        assert live
        older = list_releases(live.id)[1]
        uuid = request_roll_back(live, older, owner).uuid
    done = panel.wait(uuid)
    assert done.status == DeploymentStatus.SUCCEEDED
    names = [step.name for step in done.steps]
    assert names[0] == "check_services" and "build_image" not in names
    assert panel.get("several").body == "one"


def test_what_containers_print_is_in_the_runtime_log_without_secrets(panel: RunningPanel) -> None:
    panel.create_application("chatty")
    secret = "squeamish-ossifrage-42"
    with panel.app.app_context(), unit_of_work():
        application, owner = find_application("chatty"), find_user(OWNER)
        assert application and owner
        live = find_environment(application.id, "live")
        assert live
        set_variable(live, "API_KEY", secret, True, owner)
        uuid = live.uuid
    command = '["sh", "-c", "echo key is $API_KEY; exec serve"]'
    say = f"FROM moonbase/static:1\nEXPOSE 80\nCMD {command}\n"
    panel.push("chatty", {"Dockerfile": say})
    assert panel.deploy("chatty").status == DeploymentStatus.SUCCEEDED

    def printed() -> str:
        with panel.app.app_context():
            return log_store().runtime(uuid).read_all()

    wait_for(lambda: "key is" in printed(), 10)
    assert secret not in printed()


def test_git_over_http_and_ssh_see_the_same_repository(panel: RunningPanel) -> None:
    panel.create_application("both")
    panel.push_page("both", "over ssh")
    work = panel.folder / "work" / "both-http"
    work.mkdir(parents=True)
    url = f"http://{quote(OWNER)}:{panel.token()}@127.0.0.1:{panel.settings.port}/git/both.git"
    client = GitClient(work).clone(url)
    client.commit("over http", {"public/index.html": "over http"})
    client.push(url)
    with panel.app.app_context():
        application = find_application("both")
        assert application
        live = find_environment(application.id, "live")
        assert live
        tracked = find_tracked_branch(live.id)
        assert tracked
        assert (tracked.waiting, tracked.subject) == (2, "over http")
    assert panel.deploy("both").status == DeploymentStatus.SUCCEEDED
    assert panel.get("both").body == "over http"
