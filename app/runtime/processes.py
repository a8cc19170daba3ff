"""What runs beside the web server: processes and cron jobs, as a release writes them down."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.errors import Invalid
from app.extensions import db
from app.runtime.models import CronJob, WorkerProcess

RESERVED_NAMES = frozenset({"web", "cron", "command"})
"""Other containers of an environment have these names in its log."""
CELERY_PROGRAMS = frozenset({"celery", "aldryn-celery"})
CELERY_VARIABLES: Mapping[str, str] = {"CELERYD_CONCURRENCY": "2"}
"""What the platform sets where a Celery worker runs (L4250–4252)."""


@dataclass(frozen=True)
class Process:
    """`count` containers that run `command`, split into words as a shell would."""

    name: str
    command: str
    count: int
    addon: str = ""
    """The package that brings it; empty where people do."""


@dataclass(frozen=True)
class ScheduledJob:
    """A cron job that is not paused. `uuid` is that of its definition."""

    uuid: str
    label: str
    command: str
    schedule: str
    zone: str
    timeout_seconds: int
    overlap: str
    repeats_lost: bool


def list_processes(application_id: int) -> tuple[Process, ...]:
    """What people wrote down for the application, by name."""
    rows = db.session.scalars(
        select(WorkerProcess)
        .where(WorkerProcess.application_id == application_id)
        .order_by(WorkerProcess.name)
    )
    return tuple(Process(row.name, row.command, row.count) for row in rows)


def scheduled_jobs(environment_ids: Sequence[int]) -> Mapping[int, tuple[ScheduledJob, ...]]:
    """The cron jobs of each environment that are not paused, in the order they were added."""
    found: dict[int, tuple[ScheduledJob, ...]] = dict.fromkeys(environment_ids, ())
    rows = db.session.scalars(
        select(CronJob)
        .where(CronJob.environment_id.in_(environment_ids), CronJob.is_paused.is_(False))
        .order_by(CronJob.id)
    )
    for row in rows:
        job = ScheduledJob(
            uuid=row.uuid,
            label=row.label,
            command=row.command,
            schedule=row.schedule,
            zone=row.zone,
            timeout_seconds=row.timeout_seconds,
            overlap=row.overlap.value,
            repeats_lost=row.repeats_lost,
        )
        found[row.environment_id] += (job,)
    return found


def merge_processes(own: Iterable[Process], brought: Iterable[Process]) -> tuple[Process, ...]:
    """All that run, by name. One that people wrote down takes the place of an addon's."""
    merged = {row.name: row for row in brought} | {row.name: row for row in own}
    return tuple(merged[name] for name in sorted(merged) if merged[name].count)


def check_processes(processes: Iterable[Process], most: int) -> None:
    """Raise `Invalid` for what cannot run: addons say what they like, and plans change. `most`
    containers of all processes together."""
    total = 0
    for row in processes:
        if row.name in RESERVED_NAMES:
            raise Invalid(f"No process can be named “{row.name}”: that name is the platform's own.")
        split_command(row.command, row.name)
        total += row.count
    if total > most:
        raise Invalid(
            f"The processes beside the web server want {total} containers, and the plan allows "
            f"{most}. Lower their counts on the page Workers."
        )


def split_command(command: str, name: str) -> tuple[str, ...]:
    """The words of a process's command; `Invalid` when it has none."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise Invalid(
            f"A quotation mark in the command of the process “{name}” is not closed."
        ) from error
    if not words or "\x00" in command or "\n" in command:
        raise Invalid(f"The command of the process “{name}” is not one line of words.")
    return words


def is_celery_worker(command: str) -> bool:
    """Whether the command starts Celery's worker, under any of its documented names."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and words[0].rpartition("/")[2] in CELERY_PROGRAMS and "worker" in words


def variables_for(processes: Iterable[Process]) -> Mapping[str, str]:
    """What the platform sets because of these processes; anybody else's value counts more."""
    has_celery = any(is_celery_worker(row.command) for row in processes)
    return CELERY_VARIABLES if has_celery else {}


def read_processes(stored: Iterable[Mapping[str, Any]]) -> tuple[Process, ...]:
    """`Release.processes`."""
    return tuple(Process(**row) for row in stored)


def read_jobs(stored: Iterable[Mapping[str, Any]]) -> tuple[ScheduledJob, ...]:
    """`Release.cron_jobs`."""
    return tuple(ScheduledJob(**row) for row in stored)
