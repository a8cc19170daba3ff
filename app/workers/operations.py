"""Writing processes down, and asking for a restart of one that runs (D7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import User
from app.adapters.job_queue import Queue
from app.addons.stored import stored_addons
from app.applications.models import Application
from app.audit.operations import State, record
from app.deployments.models import CurrentRelease, WorkerContainer
from app.deployments.queries import active_deployments
from app.environments.models import Environment
from app.environments.operations import record_on
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.plans.queries import load_plan
from app.runtime.models import WorkerProcess
from app.runtime.operations import clean_command
from app.runtime.processes import RESERVED_NAMES, Process, list_processes, merge_processes

RESTART_JOB = "app.workers.jobs.restart"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
CELERY_PROGRAM = "/usr/local/bin/aldryn-celery"
CELERY: Mapping[str, str] = {
    "worker": f"{CELERY_PROGRAM} worker",
    "beat": f"{CELERY_PROGRAM} beat",
}
"""As documented: "Starting the cloud containers" (L4092–4099)."""
CAMERA = ("camera", "python manage.py celerycam --frequency=10 --pidfile=.")


@dataclass(frozen=True)
class Wish:
    """A process as a person writes it down."""

    name: str
    command: str
    count: int = 1


def add_process(application: Application, wish: Wish, actor: User) -> WorkerProcess:
    """Add a process; it runs from the next deployment on. One of an addon's name takes its place.

    Raises `Invalid` naming the field.
    """
    name = clean_process_name(wish.name)
    row = WorkerProcess(application_id=application.id, name=name)
    own = list_processes(application.id)
    if any(other.name == name for other in own):
        raise Invalid(f"There is a process “{name}” already.", "name")
    row.command, row.count = clean_command(wish.command), wish.count
    _check_room(application, [*own, Process(name, row.command, row.count)], wish.count)
    db.session.add(row)
    _record("process.add", application, row, actor)
    return row


def change_process(application: Application, row: WorkerProcess, wish: Wish, actor: User) -> None:
    """Change command and count; effective with the next deployment. The name stays."""
    command = clean_command(wish.command)
    others = [other for other in list_processes(application.id) if other.name != row.name]
    _check_room(application, [*others, Process(row.name, command, wish.count)], wish.count)
    if (row.command, row.count) == (command, wish.count):
        return
    before: State = {"command": row.command, "count": row.count}
    row.command, row.count = command, wish.count
    _record("process.change", application, row, actor, before)


def remove_process(application: Application, row: WorkerProcess, actor: User) -> None:
    """Remove it; what runs of it runs until the next deployment."""
    _record("process.remove", application, row, actor)
    db.session.delete(row)


def set_up_celery(application: Application, workers: int, with_camera: bool, actor: User) -> None:
    """Add Celery's processes with their documented commands: `workers` containers of the worker,
    one clock, and if wanted the camera. Raises `Invalid` when one of the names is taken."""
    wishes = [Wish("worker", CELERY["worker"], workers), Wish("beat", CELERY["beat"])]
    if with_camera:
        wishes.append(Wish(*CAMERA))
    brought = {row.name: row.addon for row in brought_processes(application.id)}
    for wish in wishes:
        if wish.name in brought:
            raise Invalid(
                f"The addon {brought[wish.name]} brings the process “{wish.name}” already."
            )
    for wish in wishes:
        add_process(application, wish, actor)


def ask_for_restart(environment: Environment, process: str, actor: User) -> None:
    """Have all containers of a process started anew from the current release, one by one.

    Raises `NotFound` when nothing of it runs, `Conflict` while a deployment replaces it anyhow.
    """
    if active_deployments(environment.id):
        raise Conflict("A deployment is under way there: it restarts all processes.")
    rows = db.session.scalars(
        select(WorkerContainer)
        .join(CurrentRelease, CurrentRelease.deployment_id == WorkerContainer.deployment_id)
        .where(WorkerContainer.environment_id == environment.id, WorkerContainer.process == process)
    ).all()
    if not rows:
        raise NotFound("There is no such process in the current release.")
    asked_at = now()
    for row in rows:
        row.restart_asked_at = row.restart_asked_at or asked_at
    record_on(environment, "process.restart", actor, process=process)
    key = f"restart-{environment.id}-{int(asked_at.timestamp() * 1000)}"
    enqueue_after_commit(Queue.OPERATIONS, RESTART_JOB, environment.id, key=key)


def brought_processes(application_id: int) -> list[Process]:
    """What the addons of Test's branch bring, as they said at their last change."""
    return [
        Process(one.name, one.command, one.count, row.package_name)
        for row in stored_addons(application_id)
        if not row.is_removed
        for one in row.processes
    ]


def clean_process_name(text: str) -> str:
    """The name of a process as it is kept; raises `Invalid`."""
    name = text.strip()
    if not NAME.fullmatch(name):
        raise Invalid(
            "A name has 1 to 20 small letters, digits and dashes, and begins with a letter.", "name"
        )
    if name in RESERVED_NAMES:
        raise Invalid(f"“{name}” is the platform's own name for something else.", "name")
    return name


def _check_room(application: Application, own: Iterable[Process], count: int) -> None:
    """Raise `Invalid` when the plan allows fewer containers than all processes then want."""
    allowed = load_plan(application.id).worker_containers
    if not 1 <= count <= allowed:
        raise Invalid(f"The plan allows 1 to {allowed} containers.", "count")
    total = sum(row.count for row in merge_processes(own, brought_processes(application.id)))
    if total > allowed:
        raise Invalid(
            f"All processes together would want {total} containers; the plan allows {allowed}.",
            "count",
        )


def _record(
    action: str, application: Application, row: WorkerProcess, actor: User, before: State = None
) -> None:
    now_is: State = {"command": row.command, "count": row.count}
    record(
        action,
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        before=now_is if action == "process.remove" else before,
        after=None if action == "process.remove" else now_is,
        process=row.name,
    )
