"""Finding what is due, once a minute, and writing it down as rows.

The scheduler asks. What the releases say is read once for each release and kept; a look costs one
query over the environments in use, and nothing more in a minute in which nothing is due.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from sqlalchemy import select, update

from app.cron import queries
from app.cron.models import Cause, CronClock, CronRun, RunStatus
from app.cron.operations import new_run
from app.cron.schedules import count_due, last_due, next_due
from app.deployments.models import CurrentRelease, Deployment
from app.extensions import db
from app.runtime.processes import ScheduledJob
from app.transactions import unit_of_work

LATE_SECONDS = 90.0
"""A run found due no longer ago than this is simply run; one from before that was missed."""
MOST_COUNTED = 500
"""Missed moments beyond these are “and more”: counting a month of minutes helps nobody."""
_MINUTE = datetime.timedelta(minutes=1)


@dataclass(frozen=True)
class Timed:
    """A job of a release, and when it is due next; None: never."""

    environment_id: int
    release_id: int
    job: ScheduledJob
    next_at: datetime.datetime | None

    def is_due(self, moment: datetime.datetime) -> bool:
        return self.next_at is not None and self.next_at <= moment

    def after(self, moment: datetime.datetime) -> Timed:
        return replace(self, next_at=next_due(self.job.schedule, self.job.zone, moment))


class Clock:
    """What is known between two looks. One process has one; a second one does no harm, for the
    rows say up to when all is written, and no two rows stand for the same moment of a job."""

    def __init__(self) -> None:
        self._releases: dict[int, int] = {}
        self._timed: dict[int, list[Timed]] = {}
        self._until: datetime.datetime | None = None

    def is_due(self, moment: datetime.datetime) -> bool:
        """Whether a minute has begun since the last look."""
        return self._until is None or _minute_of(moment) > _minute_of(self._until)

    def look(self, moment: datetime.datetime) -> int:
        """Write a row for each job that has become due by `moment`. Returns how many were
        written. Inside an app context, outside of any unit of work."""
        until = self._read_until(moment)
        self._refresh(until)
        db.session.rollback()
        runs = [
            run
            for rows in self._timed.values()
            for timed in rows
            if timed.is_due(moment)
            for run in _runs_of(timed, moment)
        ]
        count, self._until = len(runs), None  # until it is safe, the rows alone say how far it is
        with unit_of_work():
            _write(runs)
            db.session.execute(update(CronClock).values(looked_until=moment))
        for rows in self._timed.values():
            rows[:] = [timed.after(moment) if timed.is_due(moment) else timed for timed in rows]
        self._until = moment
        return count

    def _read_until(self, moment: datetime.datetime) -> datetime.datetime:
        """Up to when all is written. On the first look ever that is now: nothing was missed."""
        found = db.session.scalar(select(CronClock.looked_until))
        if found is None:
            with unit_of_work():
                db.session.add(CronClock(looked_until=moment))
            found = moment
        if found != self._until:
            self._releases.clear()
            self._timed.clear()
        return found

    def _refresh(self, until: datetime.datetime) -> None:
        """Take in releases that are new, forget what is not in use any more."""
        present = queries.current_jobs()
        for environment_id in self._releases.keys() - present.keys():
            del self._releases[environment_id], self._timed[environment_id]
        changed = [number for number in present if self._releases.get(number) != present[number]]
        if not changed:
            return
        jobs = queries.jobs_of([present[number] for number in changed])
        begun = _begun_at(changed) if not self._releases else {}
        for number in changed:
            since = max(until, begun.get(number, until))
            self._releases[number] = present[number]
            self._timed[number] = [
                Timed(number, present[number], job, None).after(since)
                for job in jobs[present[number]]
            ]


def _begun_at(environment_ids: list[int]) -> dict[int, datetime.datetime]:
    """Since when the current releases run: nothing was missed before."""
    rows = db.session.execute(
        select(CurrentRelease.environment_id, Deployment.started_at)
        .join(Deployment, Deployment.id == CurrentRelease.deployment_id)
        .where(
            CurrentRelease.environment_id.in_(environment_ids), Deployment.started_at.is_not(None)
        )
    )
    return {number: started_at for number, started_at in rows if started_at}


def _runs_of(timed: Timed, moment: datetime.datetime) -> list[CronRun]:
    """One run for the last moment it was due, unless that is long ago; one row for all the
    moments that were missed; and one to make up for them, where the job allows that."""
    job, first = timed.job, timed.next_at or moment
    latest = max(first, last_due(job.schedule, job.zone, moment) or first)
    is_late = (moment - latest).total_seconds() > LATE_SECONDS
    before = latest if is_late else latest - _MINUTE
    missed = 0
    if first <= before:
        missed = count_due(job.schedule, job.zone, first - _MINUTE / 60, before, MOST_COUNTED)
    runs = [] if is_late else [_run(timed, latest)]
    if missed:
        last = min(latest, last_due(job.schedule, job.zone, before) or first)
        row = _run(timed, last, status=RunStatus.MISSED)
        row.sentence, row.ended_at = _missed_sentence(missed, first), moment
        runs.insert(0, row)
        if job.repeats_lost and is_late:
            runs.append(_run(timed, last, attempt=2, cause=Cause.AGAIN))
    return runs


def _missed_sentence(count: int, first: datetime.datetime) -> str:
    if count == 1:
        return "Moonbase was not running when it was due."
    words = f"{count} times" if count < MOST_COUNTED else f"{count} times or more"
    return f"Moonbase was not running when it was due: {words} from {first:%Y-%m-%d %H:%M} UTC on."


def _run(
    timed: Timed,
    due_at: datetime.datetime,
    status: RunStatus = RunStatus.WAITING,
    attempt: int = 1,
    cause: Cause = Cause.CLOCK,
) -> CronRun:
    row = new_run(timed.environment_id, timed.release_id, timed.job)
    row.due_at, row.status, row.attempt, row.cause = due_at, status, attempt, cause
    return row


def _write(runs: list[CronRun]) -> None:
    """All that are not there yet: another scheduler, or a person at this very moment, may have
    been faster."""
    if not runs:
        return
    moments = {run.due_at for run in runs}
    named = (CronRun.environment_id, CronRun.job_uuid, CronRun.due_at, CronRun.attempt)
    environments = {run.environment_id for run in runs}
    rows = db.session.execute(
        select(*named).where(CronRun.environment_id.in_(environments), CronRun.due_at.in_(moments))
    )
    there = {tuple(row) for row in rows}
    db.session.add_all(
        run
        for run in runs
        if (run.environment_id, run.job_uuid, run.due_at, run.attempt) not in there
    )


def _minute_of(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(second=0, microsecond=0)
