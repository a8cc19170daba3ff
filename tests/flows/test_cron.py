"""Cron jobs over real processes: kill -9 of runner and scheduler loses and repeats nothing."""

from __future__ import annotations

import datetime
import time
from collections import Counter

import docker

from app.accounts.queries import find_user
from app.cron.models import CronClock, CronRun, RunStatus
from app.cron.operations import JobDraft, add_job, request_run
from app.cron.queries import released_jobs
from app.deployments.models import CurrentRelease, Deployment, DeploymentStatus, Release
from app.extensions import db
from app.logs.queries import log_store
from app.transactions import unit_of_work
from tests.flows.processes import wait_for
from tests.flows.running_panel import OWNER, RunningPanel

SLUG = "by-the-clock"
SLOW = "sh -c 'echo begins; sleep 2; echo ends'"
COUNT = 8


def test_runs_outlive_who_runs_them(panel: RunningPanel) -> None:
    since = time.time()
    _settle(panel)
    uuid = _run_now(panel)
    wait_for(lambda: _output(panel, uuid) == "begins\n", 15, "the run does not begin")
    assert panel.kill("cron")
    wait_for(lambda: _run(panel, uuid).status.is_final, 15, "nobody goes on watching")
    run = _run(panel, uuid)
    assert (run.status, run.exit_code) == (RunStatus.SUCCEEDED, 0), run.sentence
    assert 1.9 < (run.seconds or 0) < 3  # as the engine saw it, not as somebody watched it
    assert _output(panel, uuid) == "begins\nends\n"

    _make_due(panel)
    assert panel.kill("scheduler")  # another one finds what it had not written down
    wait_for(lambda: len(_due(panel)) == COUNT, 15, "not everything is due")
    wait_for(lambda: _count(panel, RunStatus.SUCCEEDED) > 1, 20, "nothing runs")
    assert panel.kill("cron")
    wait_for(lambda: all(row.status.is_final for row in _due(panel)), 30, "runs do not end")
    ends = Counter(row.status for row in _due(panel))
    assert set(ends) <= {RunStatus.SUCCEEDED, RunStatus.UNKNOWN} and ends.total() == COUNT, ends
    starts = _starts(panel, since)
    assert set(starts.values()) == {1}, starts
    assert all(starts[row.uuid] for row in _due(panel) if row.status == RunStatus.SUCCEEDED)
    _release(panel, [])  # the installation is shared
    wait_for(lambda: not [one for one in panel.containers() if "cron" in one], 10, "leftovers")


def _settle(panel: RunningPanel) -> None:
    panel.create_application(SLUG)
    panel.push_page(SLUG, "by the clock")
    with panel.app.app_context(), unit_of_work():
        owner = find_user(OWNER)
        assert owner
        add_job(panel._environment(SLUG, "live"), JobDraft("Slow", SLOW, "0 0 29 2 *"), owner)
    done = panel.deploy(SLUG)
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)


def _run_now(panel: RunningPanel) -> str:
    with panel.app.app_context(), unit_of_work():
        environment, owner = panel._environment(SLUG, "live"), find_user(OWNER)
        assert owner
        (job,) = released_jobs(environment.id)[1]
        return request_run(environment, job.uuid, owner).uuid


def _make_due(panel: RunningPanel) -> None:
    """As if the scheduler had not looked since before the present minute."""
    job = {"command": "sh -c 'echo ran'", "schedule": "* * * * *"}
    deployment_id = _release(panel, [{**job, "uuid": f"due-{number}"} for number in range(COUNT)])
    with panel.app.app_context(), unit_of_work():
        minute = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0)
        past = minute - datetime.timedelta(seconds=1)
        db.session.execute(db.update(CronClock).values(looked_until=past))
        db.session.get_one(Deployment, deployment_id).started_at = past


def _release(panel: RunningPanel, jobs: list[dict[str, str]]) -> int:
    """What the release has, without another deployment; returns the number of its deployment."""
    with panel.app.app_context(), unit_of_work():
        environment = panel._environment(SLUG, "live")
        current = db.session.scalars(
            db.select(CurrentRelease).where(CurrentRelease.environment_id == environment.id)
        ).one()
        release = db.session.get_one(Release, current.release_id)
        first = release.cron_jobs[0]
        release.cron_jobs = [{**first, **job} for job in jobs]
        return int(current.deployment_id)


def _due(panel: RunningPanel) -> list[CronRun]:
    """Those of the first moment they were due; another minute may begin meanwhile."""
    with panel.app.app_context():
        rows = list(
            db.session.scalars(
                db.select(CronRun).where(CronRun.job_uuid.like("due-%")).order_by(CronRun.due_at)
            )
        )
        db.session.remove()
    return [row for row in rows if row.due_at == rows[0].due_at]


def _count(panel: RunningPanel, status: RunStatus) -> int:
    return sum(row.status == status for row in _due(panel))


def _run(panel: RunningPanel, uuid: str) -> CronRun:
    with panel.app.app_context():
        row: CronRun = db.session.scalars(db.select(CronRun).where(CronRun.uuid == uuid)).one()
        db.session.remove()
        return row


def _output(panel: RunningPanel, uuid: str) -> str:
    with panel.app.app_context():
        kept = log_store().cron_run(panel._environment(SLUG, "live").uuid, uuid).read_all()
        db.session.remove()
        return kept


def _starts(panel: RunningPanel, since: float) -> Counter[str]:
    """How often the engine started the container of each run."""
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        filters = {"event": "start", "label": "moonbase.role=cron"}
        found = client.events(
            since=int(since), until=int(time.time()) + 1, filters=filters, decode=True
        )
        names = [event["Actor"]["Attributes"]["name"] for event in found]
    finally:
        client.close()
    return Counter(name.removeprefix("moonbase-cron-") for name in names)
