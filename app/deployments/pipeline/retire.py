"""Retire: the old containers get a polite end, and the receipt is closed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import delete

from app.deployments import queries
from app.deployments.models import Container, Receipt
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.errors import PanelError
from app.extensions import db
from app.services.connections import disconnect_unused


class Retire(Step):
    """SIGTERM, a grace time, SIGKILL. Everything is probed until the last old one is gone."""

    name = "retire"
    title = "Retire old containers"
    is_cancellable = False

    def plan(self, context: Context) -> None:
        """Names are fixed while the lease is held: a worker that was halted here and goes on much
        later must not take the containers of a newer deployment for old ones."""
        subject = context.subject
        context.retired = tuple(
            row.name
            for row in queries.list_containers(subject.environment_id)
            if row.deployment_id != subject.deployment_id
        )

    def run(self, context: Context) -> None:
        if context.retired:
            context.log.heading("retire")
            with ThreadPoolExecutor(max_workers=len(context.retired)) as pool:
                list(pool.map(lambda name: _retire(context, name), context.retired))
        if context.prober:
            context.measured = context.prober.stop()
        _disconnect(context)

    def record(self, context: Context) -> None:
        subject = context.subject
        db.session.execute(
            delete(Container).where(
                Container.environment_id == subject.environment_id,
                Container.deployment_id != subject.deployment_id,
            )
        )
        measured = context.measured
        if measured:
            db.session.add(
                Receipt(
                    deployment_id=subject.deployment_id,
                    sent=measured.sent,
                    failed=measured.failed,
                    p95_ms=measured.p95_ms,
                    longest_gap_ms=measured.longest_gap_ms,
                    failures=measured.failures,
                    switched_at=context.switched_at,
                )
            )
            context.log.line(f"{measured.sent} requests while switching, {measured.failed} lost")


def _disconnect(context: Context) -> None:
    """From servers that the site does not use any more. One that does not answer is disconnected
    after a later deployment: nothing that runs has its credentials."""
    subject = context.subject
    try:
        for name in disconnect_unused(subject.environment_id, subject.environment_uuid):
            context.log.line(f"{name} is disconnected")
    except PanelError as error:
        db.session.rollback()
        context.log.line(f"A service is still connected: {error.sentence}")


def _retire(context: Context, name: str) -> None:
    engine = context.adapters.engine
    engine.stop_container(name, int(context.installation.settings.times.stop_grace))
    engine.remove_container(name)
    context.log.line(f"{name} stopped")
