"""Start: the new containers come up beside the old ones."""

from __future__ import annotations

from sqlalchemy import delete

from app.adapters.engine import ContainerSpec
from app.deployments.models import Container, Deployment
from app.deployments.networks import free_addresses, network_of
from app.deployments.pipeline.context import ROLE_WEB, Context, RunnableRelease
from app.deployments.pipeline.step import Step
from app.extensions import db


class StartContainers(Step):
    """Rows with fixed addresses first, then the containers: nothing runs that no row knows."""

    name = "start_containers"
    title = "Start containers"

    def plan(self, context: Context) -> None:
        subject, release = context.subject, context.runnable
        context.network = network_of(context)
        addresses = free_addresses(
            subject.environment_id, context.network.subnet, release.containers
        )
        deployment = db.session.get_one(Deployment, subject.deployment_id)
        for number, address in enumerate(addresses, 1):
            row = Container(
                environment_id=subject.environment_id,
                deployment_id=deployment.id,
                release_id=release.id,
                name=f"moonbase-{subject.deployment_uuid[:13]}-web-{number}",
                address=address,
                port=release.port,
            )
            db.session.add(row)
            spec = web_container(row, release, context.network.name, context.labels(ROLE_WEB))
            context.containers += (spec,)

    def run(self, context: Context) -> None:
        context.log.heading("start containers")
        if context.network is None:
            raise RuntimeError("the network is planned before containers start in it")
        engine = context.adapters.engine
        engine.ensure_network(context.network)
        for spec in context.containers:
            state = engine.start_container(spec)
            context.log.line(f"{spec.name} started as {state.id[:12]}")

    def undo_rows(self, context: Context) -> None:
        db.session.execute(
            delete(Container).where(Container.deployment_id == context.subject.deployment_id)
        )

    def undo(self, context: Context) -> None:
        engine = context.adapters.engine
        for state in engine.list_containers(context.labels(ROLE_WEB)):
            engine.remove_container(state.name)


def web_container(
    row: Container, release: RunnableRelease, network: str, labels: dict[str, str]
) -> ContainerSpec:
    """The container a row stands for: the reconciler brings it back from the same facts."""
    return ContainerSpec(
        name=row.name,
        image=release.image,
        labels=labels,
        network=network,
        limits=release.limits,
        address=row.address,
        environment=release.variables,
        restarts=True,
    )
