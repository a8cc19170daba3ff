"""What the page of processes shows, and which restarts are still to be done."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.adapters.services import ServiceKind
from app.addons.stored import addon_names
from app.deployments.models import WorkerContainer
from app.deployments.process_states import ProcessState, process_states
from app.deployments.queries import current_releases
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.extensions import db, now
from app.plans.queries import load_plan
from app.runtime.models import WorkerProcess
from app.runtime.processes import CELERY_PROGRAMS, Process, merge_processes
from app.services.models import ServiceInstance
from app.services.queries import WANTED
from app.variables.models import Variable
from app.workers.operations import brought_processes

BROKER_VARIABLES = ("DEFAULT_AMQP_BROKER_URL", "BROKER_URL")


@dataclass(frozen=True)
class Place:
    """One process in one environment. `waits` is what the next deployment does: `starts`,
    `changes`, `stops`, or empty."""

    environment: Environment
    state: ProcessState | None
    is_deployed: bool
    waits: str

    @property
    def status(self) -> str:
        """A word of the status vocabulary."""
        if not self.is_deployed:
            return "empty"
        if self.state is None:
            return "undeployed"
        if self.state.is_restart_asked:
            return "restarting"
        if self.state.is_troubled:
            return "troubled"
        return "runs" if self.state.running == self.state.process.count else "starting"


@dataclass(frozen=True)
class ProcessView:
    """One process with all its places. `row` is what a person wrote down, None for an addon's and
    for one that only an older release still has."""

    process: Process
    row: WorkerProcess | None
    addon: str
    """The addon's name for people."""
    replaced_addon: str
    """The addon whose process of this name the person's own one takes the place of."""
    is_gone: bool
    places: Sequence[Place]


@dataclass(frozen=True)
class WorkersPage:
    """Everything the page shows."""

    processes: Sequence[ProcessView]
    environments: Sequence[Environment]
    wanted: int
    allowed: int
    without_broker: Sequence[Environment]
    """Where Celery would find no broker."""

    @property
    def has_celery(self) -> bool:
        return any(is_celery(view.process.command) for view in self.processes)


def is_celery(command: str) -> bool:
    """Whether a command is Celery's, whatever part of it."""
    program = command.split(" ", 1)[0].rpartition("/")[2]
    return program in CELERY_PROGRAMS or "celerycam" in command


def load_page(application_id: int) -> WorkersPage:
    """As many queries for ten environments as for one."""
    environments = list_environments(application_id)
    numbers = [row.id for row in environments]
    current = current_releases(numbers)
    states = process_states(current)
    rows = {row.name: row for row in _rows(application_id)}
    own = [Process(row.name, row.command, row.count) for row in rows.values()]
    brought = brought_processes(application_id)
    configured = {row.name: row for row in merge_processes(own, brought)}
    by_place = {
        number: {state.process.name: state for state in found} for number, found in states.items()
    }
    older = {
        name: state.process
        for found in by_place.values()
        for name, state in found.items()
        if name not in configured
    }
    names = addon_names({row.addon for row in [*brought, *older.values()] if row.addon})
    bringing = {row.name: row.addon for row in brought}
    views = []
    for name, process in sorted({**older, **configured}.items()):
        addon = names.get(process.addon, process.addon)
        replaced = bringing.get(name, "") if name in rows else ""
        places = [
            _place(row, configured.get(name), by_place.get(row.id, {}).get(name), row.id in current)
            for row in environments
        ]
        replaced = names.get(replaced, replaced)
        is_gone = name not in configured
        views.append(ProcessView(process, rows.get(name), addon, replaced, is_gone, places))
    return WorkersPage(
        processes=views,
        environments=environments,
        wanted=sum(row.count for row in configured.values()),
        allowed=load_plan(application_id).worker_containers,
        without_broker=_without_broker(environments),
    )


def _rows(application_id: int) -> Sequence[WorkerProcess]:
    return db.session.scalars(
        select(WorkerProcess).where(WorkerProcess.application_id == application_id)
    ).all()


def _place(
    environment: Environment,
    wanted: Process | None,
    state: ProcessState | None,
    is_deployed: bool,
) -> Place:
    waits = ""
    if is_deployed and wanted is None:
        waits = "stops" if state else ""
    elif is_deployed and wanted is not None:
        runs = (state.process.command, state.process.count) if state else None
        if runs is None:
            waits = "starts"
        elif runs != (wanted.command, wanted.count):
            waits = "changes"
    return Place(environment, state, is_deployed, waits)


def _without_broker(environments: Sequence[Environment]) -> list[Environment]:
    """Those with neither the service nor a variable of people's that says where one is."""
    numbers = [row.id for row in environments]
    having = set(
        db.session.scalars(
            select(ServiceInstance.environment_id).where(
                ServiceInstance.environment_id.in_(numbers),
                ServiceInstance.kind == ServiceKind.RABBITMQ,
                ServiceInstance.state.in_(WANTED),
                ServiceInstance.trashed_at.is_(None),
            )
        )
    )
    told = db.session.scalars(
        select(Variable.environment_id).where(
            Variable.environment_id.in_(numbers), Variable.name.in_(BROKER_VARIABLES)
        )
    )
    having.update(told)
    return [row for row in environments if row.id not in having]


def find_process(application_id: int, uuid: str) -> WorkerProcess | None:
    """A process that a person wrote down for the application."""
    return db.session.scalar(
        select(WorkerProcess).where(
            WorkerProcess.application_id == application_id, WorkerProcess.uuid == uuid
        )
    )


def asked_restarts(environment_id: int) -> Mapping[str, datetime.datetime]:
    """When a restart was asked for, by name of the container."""
    rows = db.session.execute(
        select(WorkerContainer.name, WorkerContainer.restart_asked_at).where(
            WorkerContainer.environment_id == environment_id,
            WorkerContainer.restart_asked_at.is_not(None),
        )
    )
    return {name: asked_at for name, asked_at in rows if asked_at}


def list_forgotten_restarts(seconds: float) -> Sequence[int]:
    """Environments in which a restart was asked for this long ago and is not done: the job was
    lost, or the engine was away."""
    since = now() - datetime.timedelta(seconds=seconds)
    return db.session.scalars(
        select(WorkerContainer.environment_id)
        .where(WorkerContainer.restart_asked_at < since)
        .distinct()
    ).all()
