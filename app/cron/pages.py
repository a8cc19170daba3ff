"""What the pages of cron jobs show: what is written down beside what the release has."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from app.cron import queries
from app.cron.models import CronRun
from app.cron.schedules import in_words, next_due
from app.environments.models import Environment
from app.extensions import now
from app.runtime.models import CronJob
from app.runtime.processes import ScheduledJob, scheduled_jobs


@dataclass(frozen=True)
class JobRow:
    """A job as a person sees it. `definition` None: it was removed; `released` None: the release
    that runs does not have it."""

    uuid: str
    definition: CronJob | None
    released: ScheduledJob | None
    is_changed: bool
    """The next deployment changes what runs."""
    last: CronRun | None
    next_at: datetime.datetime | None

    @property
    def shown(self) -> CronJob | ScheduledJob:
        """What is written down, or what runs of one that was removed."""
        found = self.definition or self.released
        if found is None:
            raise RuntimeError("a job is written down, or released, or not there")
        return found

    @property
    def words(self) -> object:
        """The schedule as people say it."""
        return in_words(self.shown.schedule)

    @property
    def is_paused(self) -> bool:
        return self.definition is not None and self.definition.is_paused

    @property
    def standing(self) -> str:
        """What waits for the next deployment: `new`, `changed`, `paused`, `removed`, or nothing."""
        if self.definition is None:
            return "removed"
        if self.is_paused:
            return "paused" if self.released else ""
        if self.released is None:
            return "new"
        return "changed" if self.is_changed else ""


def load_rows(environment: Environment) -> list[JobRow]:
    """All jobs of an environment, those that were removed and still run last."""
    wanted = {job.uuid: job for job in scheduled_jobs([environment.id])[environment.id]}
    released = {job.uuid: job for job in queries.released_jobs(environment.id)[1]}
    definitions = {row.uuid: row for row in queries.list_jobs(environment.id)}
    last, moment = queries.last_runs(environment.id), now()
    return [
        JobRow(
            uuid=uuid,
            definition=definitions.get(uuid),
            released=released.get(uuid),
            is_changed=wanted.get(uuid) != released.get(uuid),
            last=last.get(uuid),
            next_at=_next(released.get(uuid), moment),
        )
        for uuid in (*definitions, *(uuid for uuid in released if uuid not in definitions))
    ]


def find_row(environment: Environment, uuid: str) -> JobRow | None:
    """One of them."""
    return next((row for row in load_rows(environment) if row.uuid == uuid), None)


def _next(job: ScheduledJob | None, moment: datetime.datetime) -> datetime.datetime | None:
    return next_due(job.schedule, job.zone, moment) if job else None
