"""Workers that die or stall: the deployment is brought to an end, and a late worker writes no
more."""

from __future__ import annotations

import datetime
import threading
import time

import pytest

from app.deployments.models import Deployment, DeploymentStatus, DeploymentStep
from app.deployments.operations import Outcome, close, take_lease, take_over
from app.deployments.pipeline import runner
from app.deployments.queries import lost_deployments
from app.extensions import db, now
from app.processes.scheduler import RECOVER_JOB, Recurring, enqueue_what_is_due
from app.signals import step_started
from tests.deployments import site
from tests.panel import Panel


class Killed(BaseException):
    """Ends a worker in the middle, as SIGKILL does: nothing after it runs."""


def kill_at(panel: Panel, number: int, at: str) -> None:
    """Run the deployment in a worker that dies when step `at` begins."""

    def die(sender: object, deployment: str, step: str) -> None:
        if step == at:
            raise Killed

    with step_started.connected_to(die), pytest.raises(Killed):
        site.run(panel, number)


def grow_old(panel: Panel, number: int) -> None:
    """Let the last heartbeat lie longer ago than a lease lasts."""
    with panel.work():
        row = db.session.get_one(Deployment, number)
        row.heartbeat_at = now() - datetime.timedelta(seconds=60)


def silence(panel: Panel, number: int) -> None:
    """As `grow_old`, for a worker that still lives: its next heartbeat finds the lease gone."""
    with panel.work():
        row = db.session.get_one(Deployment, number)
        row.heartbeat_at = now() - datetime.timedelta(seconds=60)
        row.lease_token = "somebody else's"


def recover(panel: Panel, number: int) -> Deployment:
    with panel.reading():
        runner.recover(number)
    return site.look(panel, number)


STEPS = [
    "check_out",
    "build_image",
    "release",
    "run_release_commands",
    "start_containers",
    "wait_until_healthy",
    "switch_traffic",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_lost_before_the_switch_is_undone(panel: Panel, step: str) -> None:
    site.commit(panel)
    site.deploy(panel)
    old, before = site.visit(panel), site.containers(panel)
    site.commit(panel)
    number = site.request(panel)
    kill_at(panel, number, step)
    grow_old(panel, number)
    row = recover(panel, number)
    assert (row.status, row.sentence) == ("failed", runner.LOST)
    assert "running" not in site.steps_of(row).values()
    assert site.visit(panel) == old and site.containers(panel) == before
    assert list((panel.settings.data_dir / "tmp").iterdir()) == []
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"


def test_a_worker_lost_after_the_switch_is_finished(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    site.commit(panel)
    number = site.request(panel)
    kill_at(panel, number, "retire")
    grow_old(panel, number)
    new = site.visit(panel)
    row = recover(panel, number)
    assert (row.status, row.sentence) == ("succeeded", runner.FINISHED)
    assert site.visit(panel) == new and site.current_deployment(panel) == number
    rows, running = site.containers(panel)
    assert len(rows) == 1 and rows == running


def test_a_worker_that_lives_is_left_alone(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)
    kill_at(panel, number, "build_image")
    assert recover(panel, number).status == "running"  # its last heartbeat is fresh
    grow_old(panel, number)
    assert recover(panel, number).status == "failed"
    assert recover(panel, number).sentence == runner.LOST


def test_one_of_two_recoveries_wins(panel: Panel) -> None:
    number = site.request(panel)
    with panel.work():
        take_lease(db.session.get_one(Deployment, number))
    grow_old(panel, number)
    with panel.work():
        assert take_over(db.session.get_one(Deployment, number), 30)
    with panel.work():
        assert take_over(db.session.get_one(Deployment, number), 30) is None


def test_the_scheduler_asks_for_lost_and_waiting_ones(panel: Panel) -> None:
    number = site.request(panel, "test")
    with panel.work():
        take_lease(db.session.get_one(Deployment, number))
    waiting = site.request(panel, "live")
    panel.queue.jobs.clear()
    panel.queue.keys.clear()
    with panel.reading():
        enqueue_what_is_due(Recurring())
    assert (RECOVER_JOB, (number,)) not in panel.queue.jobs
    assert ("app.deployments.jobs.run", (waiting,)) in panel.queue.jobs
    grow_old(panel, number)
    lease = panel.settings.times.lease
    while time.time() % lease > lease / 5:  # both rounds in one stretch: it is asked once in each
        time.sleep(0.01)
    with panel.reading():
        assert [row.id for row in lost_deployments(30)] == [number]
        enqueue_what_is_due(Recurring())
        enqueue_what_is_due(Recurring())
    assert panel.queue.jobs.count((RECOVER_JOB, (number,))) == 1


@pytest.mark.parametrize("step", ["check_out", "build_image", "start_containers", "switch_traffic"])
def test_a_worker_whose_lease_was_taken_writes_no_more(panel: Panel, step: str) -> None:
    """It stalls in a step; a recovery ends the deployment; then it wakes up and goes on."""
    site.commit(panel)
    site.deploy(panel)
    old, before = site.visit(panel), site.containers(panel)
    site.commit(panel)
    number = site.request(panel)
    ended: list[Deployment] = []

    def stall(sender: object, deployment: str, step: str, at: str = step) -> None:
        if step == at and not ended:
            silence(panel, number)
            thread = threading.Thread(target=lambda: ended.append(recover(panel, number)))
            thread.start()
            thread.join()

    with step_started.connected_to(stall):
        late = site.run(panel, number)
    assert ended[0].status == late.status == "failed" and late.sentence == runner.LOST
    assert site.steps_of(late) == site.steps_of(ended[0])
    assert late.ended_at == ended[0].ended_at
    assert site.visit(panel) == old
    assert site.containers(panel)[0] == before[0]
    assert late.release_id == ended[0].release_id
    with panel.reading():
        count = db.select(db.func.count()).select_from(DeploymentStep)
        steps = db.session.scalar(count.where(DeploymentStep.deployment_id == number))
        assert steps == len(ended[0].steps)


def test_a_step_that_fails_after_the_lease_was_taken_writes_no_more(panel: Panel) -> None:
    site.commit(panel, "FROM missing:1\n")
    number = site.request(panel)

    def take(sender: object, deployment: str, step: str) -> None:
        if step == "build_image":
            with panel.work():
                row = db.session.get_one(Deployment, number)
                close(row, Outcome(DeploymentStatus.FAILED, "Ended by somebody else."))
                for item in row.steps:
                    item.ended_at = item.ended_at or now()

    with step_started.connected_to(take):
        row = site.run(panel, number)
    assert (row.status, row.sentence) == ("failed", "Ended by somebody else.")
    assert site.steps_of(row)["build_image"] == "running"  # untouched by the late worker


def test_a_heartbeat_is_written_while_a_step_works(panel: Panel) -> None:
    site.commit(panel, f"{site.DOCKERFILE}RUN sleep 0.8\n")
    number = site.request(panel)
    row = site.run(panel, number)
    assert row.status == "succeeded" and row.started_at and row.heartbeat_at
    assert (row.heartbeat_at - row.started_at).total_seconds() >= 0.2
