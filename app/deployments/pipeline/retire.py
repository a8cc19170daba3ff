"""Retire: the old containers get a polite end, and the receipt is closed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import delete

from app.adapters.engine import LABEL_DEPLOYMENT, LABEL_ROLE, ContainerState
from app.deployments.models import Container, Receipt
from app.deployments.pipeline.context import ROLE_WEB, Context, environment_labels
from app.deployments.pipeline.step import Step
from app.extensions import db, now


class Retire(Step):
    """SIGTERM, a grace time, SIGKILL. Everything is probed until the last old one is gone."""

    name = "retire"
    title = "Retire old containers"
    is_cancellable = False

    def run(self, context: Context) -> None:
        subject, engine = context.subject, context.adapters.engine
        labels = environment_labels(subject.installation_id, subject.environment_uuid)
        old = [
            state
            for state in engine.list_containers({**labels, LABEL_ROLE: ROLE_WEB})
            if state.labels.get(LABEL_DEPLOYMENT) != subject.deployment_uuid
        ]
        if old:
            context.log.heading("retire")
            with ThreadPoolExecutor(max_workers=len(old)) as pool:
                list(pool.map(lambda state: _retire(context, state), old))
        if context.prober:
            context.measured = context.prober.stop()

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
                    switched_at=now(),
                )
            )
            context.log.line(f"{measured.sent} requests while switching, {measured.failed} lost")


def _retire(context: Context, state: ContainerState) -> None:
    engine = context.adapters.engine
    engine.stop_container(state.name, int(context.installation.settings.times.stop_grace))
    engine.remove_container(state.name)
    context.log.line(f"{state.name} stopped")
