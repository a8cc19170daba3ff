"""Processes beside the web server: in the release, replaced in order, never two at once, brought
back, and told of when they do not run."""

from __future__ import annotations

import pytest

from app.adapters.engine import LABEL_PROCESS, LABEL_ROLE, ContainerSpec, ContainerState
from app.deployments.models import Deployment, Release, WorkerContainer
from app.deployments.operations import request_roll_back
from app.deployments.pipeline import runner
from app.deployments.queries import find_current, list_releases
from app.deployments.reconcile import reconcile
from app.deployments.waiting import load_waiting
from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Unavailable
from app.extensions import db, now
from app.installation import installation
from app.plans.queries import load_plan
from app.runtime.models import CronJob, WorkerProcess
from tests.deployments import site
from tests.deployments.test_recovery import grow_old, kill_at, recover
from tests.panel import ALICE, Panel, application, environment, user_of

BEAT = "celery beat"
WORKER = "celery worker"


def define(panel: Panel, **commands: tuple[str, int]) -> None:
    """Command and count of each process, in place of all there were."""
    with panel.work():
        db.session.execute(db.delete(WorkerProcess))
        for name, (command, count) in commands.items():
            db.session.add(
                WorkerProcess(
                    application_id=application().id, name=name, command=command, count=count
                )
            )


@pytest.fixture
def demo(panel: Panel) -> Panel:
    """A site with a worker of two containers and a clock."""
    define(panel, worker=(WORKER, 2), beat=(BEAT, 1))
    site.commit(panel)
    return panel


def workers(panel: Panel) -> dict[str, str]:
    """Process by name of the containers of processes that run."""
    return {
        state.name: state.labels[LABEL_PROCESS]
        for state in panel.engine.list_containers({LABEL_ROLE: "worker"})
        if state.running
    }


def rows(panel: Panel) -> set[str]:
    with panel.reading():
        return set(db.session.scalars(db.select(WorkerContainer.name)))


def release_of(panel: Panel, slug: str = "test") -> Release:
    with panel.reading():
        current = find_current(environment(slug).id)
        assert current and current.release.processes is not None
        return current.release


def mend(panel: Panel) -> tuple[str, ...]:
    with panel.reading():
        return reconcile(installation()).started


def order_of(panel: Panel, *methods: str) -> list[tuple[str, object]]:
    return [call for call in panel.engine.calls if call[0] in methods and "process" in str(call[1])]


class Watched:
    """Notes how many clocks run whenever a container starts."""

    def __init__(self, panel: Panel) -> None:
        self.most = 0
        start = panel.engine.start_container

        def counted(spec: ContainerSpec) -> ContainerState:
            state = start(spec)
            self.most = max(self.most, list(workers(panel).values()).count("beat"))
            return state

        panel.engine.start_container = counted  # type: ignore[method-assign]


def test_a_release_holds_processes_and_cron_jobs(demo: Panel) -> None:
    with demo.work():
        for label, is_paused in (("Nightly", False), ("Never", True)):
            db.session.add(
                CronJob(
                    environment_id=environment().id,
                    label=label,
                    command="run it",
                    schedule="0 3 * * *",
                    is_paused=is_paused,
                )
            )
    assert site.deploy(demo).status == "succeeded"
    found = release_of(demo)
    assert found.processes == [
        {"name": "beat", "command": BEAT, "count": 1, "addon": ""},
        {"name": "worker", "command": WORKER, "count": 2, "addon": ""},
    ]
    (job,) = found.cron_jobs
    assert job.pop("uuid")
    assert job == {
        "label": "Nightly",
        "command": "run it",
        "schedule": "0 3 * * *",
        "zone": "UTC",
        "timeout_seconds": 600,
        "overlap": "skip",
        "repeats_lost": False,
    }
    assert sorted(workers(demo).values()) == ["beat", "worker", "worker"]
    spec = demo.engine.specs[next(iter(workers(demo)))]
    assert spec.restarts and spec.address is None
    web = demo.engine.specs[next(iter(site.containers(demo)[0]))]
    assert (spec.image, spec.environment, spec.limits) == (web.image, web.environment, web.limits)
    assert spec.environment["CELERYD_CONCURRENCY"] == "2"


def test_processes_are_replaced_and_never_two_clocks_run(demo: Panel) -> None:
    site.deploy(demo)
    old, watched = workers(demo), Watched(demo)
    demo.engine.calls.clear()
    site.commit(demo)
    row = site.deploy(demo)
    assert row.status == "succeeded" and site.steps_of(row)["replace_processes"] == "succeeded"
    assert len(workers(demo)) == 3 and not set(workers(demo)) & set(old)
    assert rows(demo) == set(workers(demo)) and watched.most == 1
    calls = order_of(demo, "stop_container", "start_container")
    assert [name for name, _ in calls] == ["stop_container"] * 3 + ["start_container"] * 3
    assert row.warning == ""
    # The old web containers go after that, so that nothing of a visitor waits for a worker.
    stops = [about for name, about in demo.engine.calls if name == "stop_container"]
    assert "web" in str(stops[-1])


@pytest.mark.parametrize("step", ["replace_processes", "retire"])
def test_a_worker_of_the_panel_killed_there_is_finished(demo: Panel, step: str) -> None:
    site.deploy(demo)
    old, watched = set(workers(demo)), Watched(demo)
    site.commit(demo)
    number = site.request(demo)
    kill_at(demo, number, step)
    assert mend(demo) == ()  # a deployment under way is left alone
    assert (set(workers(demo)) == old) == (step == "replace_processes")
    grow_old(demo, number)
    row = recover(demo, number)
    assert (row.status, row.sentence) == ("succeeded", runner.FINISHED)
    assert len(workers(demo)) == 3 and rows(demo) == set(workers(demo)) and watched.most == 1
    assert not old & set(workers(demo)) and mend(demo) == ()


def test_a_recovery_keeps_what_was_started_before_the_kill(demo: Panel) -> None:
    number = site.request(demo)
    first: list[str] = []
    start = demo.engine.start_container

    class Killed(BaseException):
        """SIGKILL."""

    def once(spec: ContainerSpec) -> ContainerState:
        if "process" in spec.name and first:
            raise Killed
        state = start(spec)
        if "process" in spec.name:
            first.append(state.id)
        return state

    demo.engine.start_container = once  # type: ignore[method-assign]
    with pytest.raises(Killed):
        site.run(demo, number)
    demo.engine.start_container = start  # type: ignore[method-assign]
    with demo.work():  # the edge of the run has noted the step as failed; a real kill could not
        for step in db.session.get_one(Deployment, number).steps:
            if step.name == "replace_processes":
                db.session.delete(step)
    grow_old(demo, number)
    assert recover(demo, number).status == "succeeded"
    assert len(workers(demo)) == 3
    assert first[0] in {s.id for s in demo.engine.list_containers({LABEL_ROLE: "worker"})}


@pytest.mark.parametrize("step", ["start_containers", "wait_until_healthy", "switch_traffic"])
def test_a_deployment_undone_leaves_the_old_processes(demo: Panel, step: str) -> None:
    site.deploy(demo)
    old = set(workers(demo))
    site.commit(demo)
    number = site.request(demo)
    kill_at(demo, number, step)
    grow_old(demo, number)
    assert recover(demo, number).status == "failed"
    assert set(workers(demo)) == old == rows(demo)


def test_rolling_back_brings_the_processes_of_that_release(demo: Panel) -> None:
    site.deploy(demo)
    define(demo, mailer=("send mail", 1))
    site.commit(demo)
    site.deploy(demo)
    assert list(workers(demo).values()) == ["mailer"]
    with demo.work():
        release = list_releases(environment().id)[-1]
        number = request_roll_back(environment(), release, user_of(ALICE)).id
    assert site.run(demo, number).status == "succeeded"
    assert sorted(workers(demo).values()) == ["beat", "worker", "worker"]


def test_a_changed_count_waits_and_then_counts(demo: Panel) -> None:
    site.deploy(demo)
    define(demo, worker=(WORKER, 1), mailer=("send mail", 1))
    with demo.app.test_request_context():
        changes = load_waiting([environment()])[environment().id].changes
    assert [(row.kind, row.name, row.before, row.after) for row in changes] == [
        ("process", "beat", "1 × celery beat", None),
        ("process", "mailer", None, "1 × send mail"),
        ("process", "worker", "2 × celery worker", "1 × celery worker"),
    ]
    assert mend(demo) == () and len(workers(demo)) == 3  # nothing before the deployment
    site.deploy(demo)
    assert sorted(workers(demo).values()) == ["mailer", "worker"]
    with demo.app.test_request_context():
        assert load_waiting([environment()])[environment().id].changes == []


def test_cron_jobs_wait_too(demo: Panel) -> None:
    site.deploy(demo)
    with demo.work():
        job = CronJob(
            environment_id=environment().id, label="Nightly", command="run", schedule="0 3 * * *"
        )
        db.session.add(job)

    def told() -> list[tuple[str | None, str | None]]:
        with demo.app.test_request_context():
            found = load_waiting([environment()])[environment().id].changes
            return [(row.before, row.after) for row in found if row.kind == "cron-job"]

    words = "0 3 * * * (UTC): run; at most 10 min; skipped while the last run goes on"
    assert told() == [(None, words)]
    site.deploy(demo)
    assert told() == []
    with demo.work():
        db.session.scalars(db.select(CronJob)).one().repeats_lost = True
    assert told() == [(words, f"{words}; repeated when lost")]
    with demo.work():
        db.session.scalars(db.select(CronJob)).one().is_paused = True
    assert told() == [(words, None)]


def test_what_is_missing_is_brought_back_and_what_is_surplus_goes_first(demo: Panel) -> None:
    site.deploy(demo)
    beat = next(name for name, process in workers(demo).items() if process == "beat")
    demo.engine.crash(beat)
    assert mend(demo) == (beat,) and len(workers(demo)) == 3
    # As after a switch whose old processes could not be stopped: an older clock still runs.
    old = demo.engine.specs[beat]
    with demo.work():
        row = db.session.scalars(db.select(WorkerContainer).filter_by(name=beat)).one()
        row.name = f"{beat}-new"
    watched = Watched(demo)
    assert mend(demo) == (f"{beat}-new",)
    assert watched.most == 1 and old.name not in workers(demo)


def test_a_site_in_the_trash_stops_its_processes(demo: Panel) -> None:
    site.deploy(demo)
    demo.engine.calls.clear()
    with demo.work():
        environment().trashed_at = now()
    mend(demo)
    assert workers(demo) == {}
    assert len(order_of(demo, "stop_container")) == 3  # politely
    with demo.work():
        row = db.session.scalars(db.select(WorkerContainer)).first()
        assert row
        row.release.environment.trashed_at = None
    assert len(mend(demo)) == 4  # with the web container


def test_a_program_that_is_not_there_fails_before_the_switch(demo: Panel) -> None:
    site.deploy(demo)
    old, before = site.visit(demo), workers(demo)
    demo.engine.missing_programs.add("celery")
    site.commit(demo)
    row = site.deploy(demo)
    assert row.status == "failed" and site.steps_of(row)["start_containers"] == "failed"
    assert row.sentence == (
        "The process “beat” cannot start: The command “celery” is not in the image."
    )
    assert "page Workers" in row.advice
    assert site.visit(demo) == old and workers(demo) == before and rows(demo) == set(before)


def test_one_that_ends_at_once_is_told_of_and_fails_nothing(demo: Panel) -> None:
    start = demo.engine.start_container

    def ending(spec: ContainerSpec) -> ContainerState:
        state = start(spec)
        if spec.labels.get(LABEL_PROCESS) == "beat":
            demo.engine.write(spec.name, "no broker", "stderr")
            demo.engine.crash(spec.name, 7)
        return state

    demo.engine.start_container = ending  # type: ignore[method-assign]
    row = site.deploy(demo)
    assert row.status == "succeeded"
    assert row.warning == (
        "The process “beat” ended right after its start (exit code 7). It is started again."
    )
    log = site.log_of(demo, row)
    assert "ended at once with exit code 7" in log and "no broker" in log
    alice = demo.client_of(ALICE)
    assert row.warning in alice.get(f"/applications/demo/deployments/{row.uuid}/").text
    dashboard = alice.get("/applications/demo/").text
    assert "A process keeps ending" in dashboard and "last exit code 7" in dashboard


def test_an_engine_that_refuses_a_process_brings_nothing_down(demo: Panel) -> None:
    site.deploy(demo)
    site.commit(demo)
    start = demo.engine.start_container

    def refusing(spec: ContainerSpec) -> ContainerState:
        if spec.labels.get(LABEL_PROCESS) == "beat":
            raise Unavailable("The engine is full.")
        return start(spec)

    demo.engine.start_container = refusing  # type: ignore[method-assign]
    row = site.deploy(demo)
    assert row.status == "succeeded" and "“beat”" in row.warning
    assert "The engine is full." in site.log_of(demo, row)
    demo.engine.start_container = start  # type: ignore[method-assign]
    assert len(mend(demo)) == 1 and "beat" in workers(demo).values()


def test_the_plan_limits_all_processes_together(demo: Panel) -> None:
    with demo.work():
        load_plan(application().id).worker_containers = 2
    row = site.deploy(demo)
    assert row.status == "failed" and "plan allows 2" in row.sentence
    assert site.steps_of(row)["collect_contributions"] == "failed"  # before anything was built


def test_containers_of_the_web_are_counted_by_themselves(demo: Panel) -> None:
    with demo.work():
        row = environment("live")
        wish = EnvironmentSettings(row.branch, 4, row.is_deployed_on_push, row.name)
        update_environment(row, wish, 4, user_of(ALICE))
    site.deploy(demo, "live")
    site.commit(demo)
    assert site.deploy(demo, "live").status == "succeeded"
    assert len(site.visit(demo, "live")) == 1 and len(site.containers(demo)[0]) == 4
