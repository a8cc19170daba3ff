"""Clean-up, reconciliation and deploy-on-push, beside deployments that go on meanwhile."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import replace

from app.adapters.engine import ContainerState, NetworkSpec
from app.adapters.engine.answers import container_state
from app.adapters.engine.fake import ScriptedRun
from app.deployments import jobs
from app.deployments.cleanup import remove_old_images
from app.deployments.models import CurrentRelease, Deployment
from app.deployments.operations import request_roll_back
from app.deployments.queries import list_pushed_environments, list_releases
from app.deployments.reconcile import Mended, reconcile
from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Unavailable
from app.extensions import db
from app.installation import Installation, installation
from app.repositories.models import TrackedBranch
from app.runtime.operations import add_release_command
from app.variables.operations import set_variable
from tests.deployments import site
from tests.panel import ALICE, Panel, application, environment, user_of
from tests.serving_engine import ServingEngine

FAILS = ScriptedRun(exit_code=1)


def roll_back(panel: Panel, number: int) -> int:
    """Ask for release `number` of Test again; returns the deployment's number."""
    with panel.work():
        releases = {row.number: row for row in list_releases(environment().id)}
        return request_roll_back(environment(), releases[number], user_of(ALICE)).id


def clean_up(panel: Panel) -> list[str]:
    with panel.reading():
        return remove_old_images(installation())


def test_rolling_back_is_not_undone_by_deploy_on_push(panel: Panel) -> None:
    with panel.work():
        wanted = EnvironmentSettings("main", 1, is_deployed_on_push=True)
        update_environment(environment(), wanted, 1, user_of(ALICE))
    first = site.commit(panel)
    site.deploy(panel)
    site.commit(panel)
    site.deploy(panel)
    assert site.run(panel, roll_back(panel, 1)).status == "succeeded"
    with panel.reading():
        number = environment().id
        assert list_pushed_environments() == [], "the scheduler does not even ask"
        jobs.deploy_pushed(number)
    with panel.reading():
        assert len(db.session.scalars(db.select(Deployment)).all()) == 3
    third = site.commit(panel)
    with panel.reading():
        assert list_pushed_environments() == [number]
        jobs.deploy_pushed(number)
    with panel.reading():
        newest = db.session.scalars(db.select(Deployment).order_by(Deployment.id.desc())).first()
        assert newest and newest.commit == third != first


def test_releases_that_never_served_do_not_push_out_those_to_roll_back_to(panel: Panel) -> None:
    for _ in range(2):
        site.commit(panel)
        assert site.deploy(panel).status == "succeeded"
    with panel.work():
        add_release_command(application(), "fails", "no-such-program", user_of(ALICE))
    for _ in range(3):
        site.commit(panel)
        panel.engine.script(("no-such-program",), FAILS)
        assert site.deploy(panel).status == "failed"
    clean_up(panel)
    with panel.reading():
        assert [row.number for row in list_releases(environment().id)] == [2, 1]


def test_the_image_of_a_waiting_roll_back_is_kept(panel: Panel) -> None:
    for _ in range(4):
        site.commit(panel)
        site.deploy(panel)
    number = roll_back(panel, 1)
    assert clean_up(panel) == []
    assert site.run(panel, number).status == "succeeded"


def test_an_image_finished_while_clean_up_looks_is_kept(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)

    class Slow(ServingEngine):
        def list_images(self, labels):  # type: ignore[no-untyped-def]
            found = panel.engine.list_images(labels)
            site.run(panel, number)
            return found

        remove_image = panel.engine.remove_image

    with panel.reading():
        remove_old_images(with_engine(panel, Slow()))
    assert len(site.visit(panel)) == 1
    with panel.reading():
        release = list_releases(environment().id)[0]
        assert panel.engine.inspect_image(release.image)


def with_engine(panel: Panel, engine: ServingEngine) -> Installation:
    return Installation(panel.settings, replace(panel.adapters, engine=engine))


# Reconciliation -------------------------------------------------------------------------------


class Meddling(ServingEngine):
    """The engine of `panel`, before whose first network something else happens."""

    def __init__(self, panel: Panel, act: Callable[[], None]) -> None:
        super().__init__()
        self._inner, self._act, self._has_acted = panel.engine, act, False
        self.list_containers = self._inner.list_containers  # type: ignore[method-assign]
        self.start_container = self._inner.start_container  # type: ignore[method-assign]
        self.remove_container = self._inner.remove_container  # type: ignore[method-assign]
        self.list_networks = self._inner.list_networks  # type: ignore[method-assign]
        self.remove_network = self._inner.remove_network  # type: ignore[method-assign]

    def ensure_network(self, spec: NetworkSpec) -> None:
        if not self._has_acted:
            self._has_acted = True
            self._act()
        self._inner.ensure_network(spec)


def test_what_stopped_being_wanted_meanwhile_is_not_brought_back(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel, "test")
    site.deploy(panel, "live")
    names, _ = site.containers(panel)
    for name in names:
        panel.engine.remove_container(name)

    def forget() -> None:
        with panel.app.app_context(), db.engine.begin() as connection:
            connection.execute(
                db.delete(CurrentRelease).where(CurrentRelease.environment_id == live)
            )

    with panel.reading():
        live = environment("live").id
        mended = reconcile(with_engine(panel, Meddling(panel, forget)))
    assert len(mended.started) == 1
    assert site.containers(panel)[1] == set(mended.started)


def test_one_process_reconciles_at_a_time(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    names, _ = site.containers(panel)
    for name in names:
        panel.engine.remove_container(name)
    with (panel.settings.data_dir / "tmp" / "reconcile.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with panel.reading():
            assert reconcile(installation()) == Mended((), ())
    with panel.reading():
        assert set(reconcile(installation()).started) == names


def test_a_container_that_crashes_is_left_to_the_engine(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)

    class Crashing(Meddling):
        def list_containers(self, labels):  # type: ignore[no-untyped-def]
            return [waiting(state) for state in panel.engine.list_containers(labels)]

    def waiting(state: ContainerState) -> ContainerState:
        return replace(state, running=False, restarting=True, exit_code=1)

    engine = Crashing(panel, lambda: None)
    del engine.list_containers
    with panel.reading():
        assert reconcile(with_engine(panel, engine)) == Mended((), ())


def test_a_restarting_container_is_known_as_one() -> None:
    state = {"Running": True, "Restarting": True, "ExitCode": 1, "OOMKilled": False}
    answer = {
        "Id": "1", "Name": "/a", "Config": {"Image": "i"}, "State": state,
        "NetworkSettings": {"Networks": {}},
    }  # fmt: skip
    assert container_state(answer).restarting and not container_state(answer).running
    state["Restarting"] = False
    assert not container_state(answer).restarting


# The end of a deployment ----------------------------------------------------------------------


def test_a_repository_that_does_not_answer_keeps_no_deployment_open(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)

    class Silent(type(panel.store)):  # type: ignore[misc]
        def count(self, key: str, until: str, since: str | None) -> int:
            raise Unavailable("Git does not answer.")

    store = Silent(panel.settings.data_dir / "repositories", panel.settings.push_bytes)
    whole = panel.app.extensions["moonbase"]
    panel.app.extensions["moonbase"] = replace(
        whole, adapters=replace(whole.adapters, repositories=store)
    )
    row = site.run(panel, number)
    assert row.status == "succeeded"
    with panel.reading():
        tracked = db.session.scalars(
            db.select(TrackedBranch).where(TrackedBranch.environment_id == environment().id)
        ).one()
        assert tracked.deployed == row.commit


def test_the_sentence_of_a_failure_is_masked_like_its_log(panel: Panel) -> None:

    with panel.work():
        set_variable(environment(), "KEY", "opensesame-4711", True, user_of(ALICE))
        add_release_command(application(), "opensesame-4711", "fails", user_of(ALICE))
    site.commit(panel)
    panel.engine.script(("fails",), FAILS)
    row = site.deploy(panel)
    assert row.status == "failed" and "opensesame" not in row.sentence and "••••" in row.sentence
