"""Finding jobs and runs, for pages and the runner. Nothing here decrypts a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from app.cron.models import CronRun, RunStatus
from app.deployments.models import CurrentRelease, Release
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db
from app.runtime.models import CronJob
from app.runtime.processes import ScheduledJob, read_jobs

ACTIVE = (RunStatus.WAITING, RunStatus.RUNNING)


def list_jobs(environment_id: int) -> Sequence[CronJob]:
    """As people wrote them down, in the order of adding."""
    return db.session.scalars(
        select(CronJob).where(CronJob.environment_id == environment_id).order_by(CronJob.id)
    ).all()


def find_job(environment_id: int, uuid: str) -> CronJob | None:
    return db.session.scalar(
        select(CronJob).where(CronJob.environment_id == environment_id, CronJob.uuid == uuid)
    )


def released_jobs(environment_id: int) -> tuple[int, tuple[ScheduledJob, ...]]:
    """The number of the current release (0: none) and the jobs it has."""
    row = db.session.execute(
        select(Release.id, Release.cron_jobs)
        .join(CurrentRelease, CurrentRelease.release_id == Release.id)
        .where(CurrentRelease.environment_id == environment_id)
    ).first()
    return (row[0], read_jobs(row[1] or ())) if row else (0, ())


def find_released_job(environment_id: int, job_uuid: str) -> tuple[int, ScheduledJob] | None:
    """The job as the current release has it, with the number of that release."""
    release_id, jobs = released_jobs(environment_id)
    return next(((release_id, job) for job in jobs if job.uuid == job_uuid), None)


def current_jobs() -> Mapping[int, int]:
    """Which release each environment in use runs: of all, in one quick query."""
    rows = db.session.execute(
        select(CurrentRelease.environment_id, CurrentRelease.release_id)
        .join(Environment, Environment.id == CurrentRelease.environment_id)
        .where(is_in_use())
    )
    return {row[0]: row[1] for row in rows}


def jobs_of(release_ids: Sequence[int]) -> Mapping[int, tuple[ScheduledJob, ...]]:
    """The jobs of releases."""
    rows = db.session.execute(
        select(Release.id, Release.cron_jobs).where(Release.id.in_(release_ids))
    )
    return {release_id: read_jobs(jobs or ()) for release_id, jobs in rows}


def count_active(environment_id: int, job_uuid: str) -> int:
    """Runs of the job that wait or run."""
    counted = select(func.count(CronRun.id)).where(
        CronRun.environment_id == environment_id,
        CronRun.job_uuid == job_uuid,
        CronRun.status.in_(ACTIVE),
    )
    return db.session.scalar(counted) or 0


def last_runs(environment_id: int) -> Mapping[str, CronRun]:
    """The newest run of each job of an environment, in one query."""
    newest = (
        select(func.max(CronRun.id))
        .where(CronRun.environment_id == environment_id)
        .group_by(CronRun.job_uuid)
    )
    rows = db.session.scalars(select(CronRun).where(CronRun.id.in_(newest)))
    return {row.job_uuid: row for row in rows}


def list_runs(environment_id: int, job_uuid: str) -> Select[CronRun]:
    """A job's runs, newest first."""
    return (
        select(CronRun)
        .where(CronRun.environment_id == environment_id, CronRun.job_uuid == job_uuid)
        .options(joinedload(CronRun.actor))
        .order_by(CronRun.id.desc())
    )


def find_run(environment_id: int, uuid: str) -> CronRun | None:
    return db.session.scalar(
        select(CronRun).where(CronRun.environment_id == environment_id, CronRun.uuid == uuid)
    )
