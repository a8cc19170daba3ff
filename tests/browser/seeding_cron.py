"""Cron jobs of a site, in every state the pages can show."""

from __future__ import annotations

import datetime
from dataclasses import asdict

from app.accounts.models import User
from app.cron.models import Cause, RunStatus
from app.cron.operations import JobDraft, add_job, new_run, pause_job
from app.deployments.models import CurrentRelease, Release
from app.environments.models import Environment
from app.extensions import db, now
from app.logs.queries import log_store
from app.runtime.models import CronJob
from app.runtime.processes import scheduled_jobs

SESSIONS = "5c2f8f0e-0000-4000-8000-000000000001"
NEWS = "5c2f8f0e-0000-4000-8000-000000000002"
FAILED_RUN = "5c2f8f0e-0000-4000-8000-000000000003"
RUNNING_RUN = "5c2f8f0e-0000-4000-8000-000000000004"
WAITING_RUN = "5c2f8f0e-0000-4000-8000-000000000005"
PYTHON = "/usr/local/bin/python manage.py"
PRINTED = """\
Fetching https://news.example.org/feed.xml
Traceback (most recent call last):
  File "/app/manage.py", line 22, in <module>
    main()
urllib.error.URLError: <urlopen error [Errno 111] Connection refused>
"""


def seed_cron(live: Environment, owner: User) -> None:
    """One that goes well, one that fails, one changed since, one paused, one new."""
    sessions = _add(live, owner, "Remove old sessions", f"{PYTHON} clearsessions", "0 3 * * *")
    news = _add(live, owner, "Fetch the news", f"{PYTHON} fetch_news --all", "*/10 * * * *")
    digest = _add(live, owner, "Weekly digest", f"{PYTHON} send_digest", "30 6 * * 1")
    old = _add(live, owner, "Old import", "sh -c 'cat /tmp/in | import'", "0 */6 * * *")
    sessions.uuid, news.uuid = SESSIONS, NEWS
    db.session.flush()
    _release(live)
    digest.schedule = "30 6 * * 1-5"
    pause_job(live, old, True, owner)
    _add(live, owner, "Measure the site", "measure --quick", "15 * * * *")
    db.session.flush()
    for days in range(4, 0, -1):
        _run(live, sessions, days * 24 * 60, RunStatus.SUCCEEDED)
    _run(live, digest, 400, RunStatus.UNKNOWN, "Moonbase was interrupted when it began.")
    _run(live, news, 50, RunStatus.TIMED_OUT, "It ran longer than 10 minutes and was stopped.")
    _run(live, news, 40, RunStatus.SKIPPED, "The run before it still went on.")
    _run(live, news, 30, RunStatus.MISSED, "Moonbase was not running when it was due.")
    failed = _run(live, news, 20, RunStatus.FAILED, "It ended with exit code 1.", FAILED_RUN)
    log_store().cron_run(live.uuid, failed).append(PRINTED)
    running = _run(live, news, 10, RunStatus.RUNNING, uuid=RUNNING_RUN)
    log_store().cron_run(live.uuid, running).append(PRINTED.splitlines(keepends=True)[0])
    _run(live, news, 0, RunStatus.WAITING, uuid=WAITING_RUN, actor=owner)


def _add(live: Environment, owner: User, label: str, command: str, schedule: str) -> CronJob:
    return add_job(live, JobDraft(label, command, schedule, "Europe/Zurich"), owner)


def _release(live: Environment) -> None:
    """As if they had been there at the last deployment."""
    current = db.session.scalars(
        db.select(CurrentRelease).where(CurrentRelease.environment_id == live.id)
    ).one()
    release = db.session.get_one(Release, current.release_id)
    release.cron_jobs = [asdict(job) for job in scheduled_jobs([live.id])[live.id]]


def _run(
    live: Environment,
    job: CronJob,
    minutes: int,
    status: RunStatus,
    sentence: str = "",
    uuid: str = "",
    actor: User | None = None,
) -> str:
    """One that was due so many minutes ago; its uuid."""
    current = db.session.scalars(
        db.select(CurrentRelease).where(CurrentRelease.environment_id == live.id)
    ).one()
    released = next(row for row in scheduled_jobs([live.id])[live.id] if row.uuid == job.uuid)
    row = new_run(live.id, current.release_id, released)
    row.due_at = now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=minutes)
    row.status, row.sentence = status, sentence
    row.uuid = uuid or f"5c2f8f0e-0000-4000-9000-{minutes:012d}"
    if actor:
        row.cause, row.actor_id = Cause.PERSON, actor.id
    if status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.RUNNING):
        row.started_at = row.due_at + datetime.timedelta(seconds=1.2)
    if status.is_final:
        row.ended_at = row.due_at + datetime.timedelta(seconds=9.6)
        row.exit_code = {RunStatus.SUCCEEDED: 0, RunStatus.FAILED: 1}.get(status)
    db.session.add(row)
    return row.uuid
