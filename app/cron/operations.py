"""Writing cron jobs down, and asking for a run now. What is written counts from the next
deployment on; a run is always one of what the current release has."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import func, select

from app.accounts.models import User
from app.cron import queries
from app.cron.models import Cause, CronRun, RunStatus
from app.cron.schedules import clean_schedule, clean_zone
from app.environments.models import Environment
from app.environments.operations import record_on
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.names import clean_name
from app.plans.queries import load_plan
from app.runtime.models import CronJob, Overlap
from app.runtime.operations import clean_command
from app.runtime.processes import ScheduledJob

MOST_JOBS = 100
"""In one environment."""
TIMEOUT_SECONDS = 10 * 60
""""Cron job timeouts", L7400."""


@dataclass(frozen=True)
class JobDraft:
    """What a person says of a job, not looked at yet."""

    label: str
    command: str
    schedule: str
    zone: str = "UTC"
    timeout_seconds: int = TIMEOUT_SECONDS
    overlap: str = Overlap.SKIP
    repeats_lost: bool = False


def add_job(environment: Environment, draft: JobDraft, actor: User) -> CronJob:
    """A new job, effective with the next deployment. Raises `Invalid` naming the field at fault."""
    count = select(func.count(CronJob.id)).where(CronJob.environment_id == environment.id)
    if (db.session.scalar(count) or 0) >= MOST_JOBS:
        raise Invalid(f"An environment has at most {MOST_JOBS} cron jobs.")
    row = CronJob(environment_id=environment.id, **asdict(_checked(environment, draft)))
    db.session.add(row)
    db.session.flush()
    record_on(environment, "cron_job.add", actor, label=row.label, after=_facts(row))
    return row


def change_job(environment: Environment, row: CronJob, draft: JobDraft, actor: User) -> None:
    """Say it anew. Raises `Invalid` naming the field at fault."""
    before = _facts(row)
    for name, value in asdict(_checked(environment, draft)).items():
        setattr(row, name, value)
    if _facts(row) != before:
        record_on(
            environment, "cron_job.change", actor, label=row.label, before=before, after=_facts(row)
        )


def pause_job(environment: Environment, row: CronJob, is_paused: bool, actor: User) -> None:
    """Leave it out of releases, or take it in again."""
    if row.is_paused != is_paused:
        row.is_paused = is_paused
        action = "cron_job.pause" if is_paused else "cron_job.resume"
        record_on(environment, action, actor, label=row.label)


def remove_job(environment: Environment, row: CronJob, actor: User) -> None:
    """Forget it. What it ran is kept for a while, and it runs until the next deployment."""
    record_on(environment, "cron_job.remove", actor, label=row.label, before=_facts(row))
    db.session.delete(row)


def request_run(environment: Environment, job_uuid: str, actor: User) -> CronRun:
    """Have a job of the current release run now. Raises `Invalid` when the release does not have
    it, `Conflict` when it runs and its rule is not to run twice at once."""
    found = queries.find_released_job(environment.id, job_uuid)
    if found is None:
        raise Invalid("The release that runs does not have this job yet. Deploy first.")
    release_id, job = found
    if job.overlap != Overlap.RUN and queries.count_active(environment.id, job_uuid):
        raise Conflict("It runs, or waits for its turn, already.")
    row = new_run(environment.id, release_id, job)
    row.cause, row.actor_id = Cause.PERSON, actor.id
    db.session.add(row)
    db.session.flush()
    record_on(environment, "cron_job.run", actor, label=job.label)
    return row


def new_run(environment_id: int, release_id: int, job: ScheduledJob) -> CronRun:
    """A run that waits, due now, of what the release says; not in the session yet."""
    return CronRun(
        environment_id=environment_id,
        release_id=release_id,
        job_uuid=job.uuid,
        label=job.label,
        command=job.command,
        timeout_seconds=job.timeout_seconds,
        overlap=Overlap(job.overlap),
        repeats_lost=job.repeats_lost,
        due_at=now(),
        attempt=1,
        cause=Cause.CLOCK,
        status=RunStatus.WAITING,
        sentence="",
    )


def _checked(environment: Environment, draft: JobDraft) -> JobDraft:
    """As it is kept."""
    return JobDraft(
        label=clean_name(draft.label, "label"),
        command=clean_command(draft.command),
        schedule=clean_schedule(draft.schedule),
        zone=clean_zone(draft.zone),
        timeout_seconds=_checked_timeout(environment, draft.timeout_seconds),
        overlap=_checked_overlap(draft.overlap),
        repeats_lost=draft.repeats_lost,
    )


def _checked_timeout(environment: Environment, seconds: int) -> int:
    most = load_plan(environment.application_id).cron_seconds
    if not most:
        raise Invalid("The plan of this application has no cron jobs.")
    if not 1 <= seconds <= most:
        raise Invalid(
            f"The time limit is 1 to {most} seconds. What takes longer belongs into a worker.",
            "timeout_seconds",
        )
    return seconds


def _checked_overlap(text: str) -> Overlap:
    try:
        return Overlap(text)
    except ValueError as error:
        raise Invalid("Choose one of the three.", "overlap") from error


def _facts(row: CronJob) -> dict[str, object]:
    return {
        "label": row.label,
        "command": row.command,
        "schedule": row.schedule,
        "zone": row.zone,
        "time_limit": row.timeout_seconds,
        "overlap": str(row.overlap),
        "repeats_lost": row.repeats_lost,
    }
