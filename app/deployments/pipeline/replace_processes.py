"""Processes: those of the old release get a polite end, then those of the new one start."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from sqlalchemy import delete, select

from app.adapters.engine import LABEL_PROCESS, ContainerSpec
from app.deployments import queries
from app.deployments.labels import ROLE_WORKER
from app.deployments.models import Deployment, DeploymentStatus, WorkerContainer
from app.deployments.networks import network_of
from app.deployments.pipeline.context import Context, RunnableRelease
from app.deployments.pipeline.step import Step
from app.errors import PanelError, Unavailable
from app.extensions import db, now
from app.runtime.processes import split_command

LOOK_SECONDS = 0.1
LOG_LINES = 20


class ReplaceProcesses(Step):
    """Old and new never run at once: two clocks of Celery would start each task twice.

    Visitors are served by the new containers already. So a process that does not run is told of,
    and brings nothing down; the reconciler and the engine go on trying.
    """

    name = "replace_processes"
    title = "Processes"
    is_cancellable = False

    def plan(self, context: Context) -> None:
        """The rows are there since StartContainers. Names are fixed while the lease is held, as in
        Retire."""
        subject = context.subject
        rows = queries.list_worker_containers(subject.environment_id)
        old = [row.name for row in rows if row.deployment_id != subject.deployment_id]
        mine = [row for row in rows if row.deployment_id == subject.deployment_id]
        context.replaced = tuple(old)
        if mine:
            context.network = network_of(context)
            context.workers = tuple(
                worker_container(
                    row, context.runnable, context.network.name, context.labels(ROLE_WORKER)
                )
                for row in mine
            )

    def run(self, context: Context) -> None:
        if context.replaced or context.workers:
            context.log.heading("processes")
        if context.replaced:
            with ThreadPoolExecutor(max_workers=len(context.replaced)) as pool:
                list(pool.map(lambda name: _end(context, name), context.replaced))
        if context.workers and context.network:
            context.adapters.engine.ensure_network(context.network)
            for spec in context.workers:
                _start(context, spec)
            _watch(context)

    def record(self, context: Context) -> None:
        subject = context.subject
        db.session.execute(
            delete(WorkerContainer).where(
                WorkerContainer.environment_id == subject.environment_id,
                WorkerContainer.deployment_id != subject.deployment_id,
            )
        )
        for row in queries.list_worker_containers(subject.environment_id):
            row.is_running = row.name not in context.troubled
            if row.name in context.troubled:
                row.exit_code, row.ended_at = context.troubled[row.name], now()
        deployment = db.session.get_one(Deployment, subject.deployment_id)
        deployment.warning = warning_of(context.workers, context.troubled)


def worker_container(
    row: WorkerContainer, release: RunnableRelease, network: str, labels: Mapping[str, str]
) -> ContainerSpec:
    """The container a row stands for. Raises `Invalid` when the release has no such process."""
    command = next((one.command for one in release.processes if one.name == row.process), "")
    words = split_command(command, row.process)
    spec = release.container(row.name, network, {**labels, LABEL_PROCESS: row.process}, words)
    return replace(spec, restarts=True)


def warning_of(workers: tuple[ContainerSpec, ...], troubled: Mapping[str, int | None]) -> str:
    """One sentence for all processes of which a container does not run; empty when all do."""
    names = sorted({spec.labels[LABEL_PROCESS] for spec in workers if spec.name in troubled})
    if not names:
        return ""
    codes = {str(code) for code in troubled.values() if code is not None}
    ended = f" (exit code {', '.join(sorted(codes))})" if codes else ""
    listed = ", ".join(f"“{name}”" for name in names)
    if len(names) == 1:
        return f"The process {listed} ended right after its start{ended}. It is started again."
    return f"The processes {listed} ended right after their start{ended}. They are started again."


def _end(context: Context, name: str) -> None:
    engine = context.adapters.engine
    engine.stop_container(name, int(context.installation.settings.times.stop_grace))
    engine.remove_container(name)
    context.log.line(f"{name} stopped")


def _start(context: Context, spec: ContainerSpec) -> None:
    """Start one, unless the run that this one recovers has done so."""
    engine = context.adapters.engine
    _require_own_turn(context)
    try:
        state = engine.inspect_container(spec.name)
        if state is None or not (state.running or state.restarting):
            engine.start_container(spec)
            context.log.line(f"{spec.name} started: {' '.join(spec.command or ())}")
    except PanelError as error:
        context.troubled[spec.name] = None
        context.log.line(f"!!! {spec.name} could not be started: {error.sentence}")


def _require_own_turn(context: Context) -> None:
    """A worker that was halted here while another one finished the deployment must start nothing:
    a newer release may run by now."""
    status = db.session.scalar(
        select(Deployment.status).where(Deployment.id == context.subject.deployment_id)
    )
    db.session.rollback()
    if context.lost.is_set() or status != DeploymentStatus.RUNNING:
        raise Unavailable("Another worker has finished this deployment.")


def _watch(context: Context) -> None:
    """Look for a moment whether any of them ends at once, and put the end of its log here."""
    until = time.monotonic() + context.installation.settings.times.process_watch
    while True:
        for spec in context.workers:
            if spec.name not in context.troubled:
                _look(context, spec)
        if time.monotonic() >= until:
            return
        time.sleep(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))


def _look(context: Context, spec: ContainerSpec) -> None:
    engine = context.adapters.engine
    state = engine.inspect_container(spec.name)
    if state and state.running and not state.restart_count:
        return
    code = state.exit_code if state else None
    context.troubled[spec.name] = code
    ended = "" if code is None else f" with exit code {code}"
    context.log.line(f"!!! {spec.name} ended at once{ended}. It is started again. It printed:")
    for line in engine.tail_logs(spec.name, LOG_LINES):
        context.log.line(line.text)
