"""Start: the new containers come up beside the old ones."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete

from app.adapters.engine import ContainerSpec, NetworkSpec
from app.deployments.labels import ROLE_COMMAND, ROLE_WEB
from app.deployments.models import Container, Deployment, WorkerContainer
from app.deployments.networks import free_addresses, network_of
from app.deployments.pipeline.context import Context, RunnableRelease
from app.deployments.pipeline.step import Step
from app.errors import Invalid
from app.extensions import db
from app.runtime.processes import split_command


class StartContainers(Step):
    """Rows with fixed addresses first, then the containers: nothing runs that no row knows.

    Processes get their rows here and start after the switch; whether they can is seen now, while
    the old release serves.
    """

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
        _add_worker_rows(context)

    def run(self, context: Context) -> None:
        context.log.heading("start containers")
        if context.network is None:
            raise RuntimeError("the network is planned before containers start in it")
        engine = context.adapters.engine
        engine.ensure_network(context.network)
        _check_programs(context, context.network)
        for spec in context.containers:
            state = engine.start_container(spec)
            context.log.line(f"{spec.name} started as {state.id[:12]}")

    def undo_rows(self, context: Context) -> None:
        number = context.subject.deployment_id
        for table in (Container, WorkerContainer):
            db.session.execute(delete(table).where(table.deployment_id == number))

    def undo(self, context: Context) -> None:
        engine = context.adapters.engine
        for role in (ROLE_WEB, ROLE_COMMAND):
            for state in engine.list_containers(context.labels(role)):
                engine.remove_container(state.name)


def _add_worker_rows(context: Context) -> None:
    subject, release = context.subject, context.runnable
    for process in release.processes:
        for number in range(1, process.count + 1):
            db.session.add(
                WorkerContainer(
                    environment_id=subject.environment_id,
                    deployment_id=subject.deployment_id,
                    release_id=release.id,
                    name=f"moonbase-{subject.deployment_uuid[:13]}-process-{process.name}-{number}",
                    process=process.name,
                )
            )


def _check_programs(context: Context, network: NetworkSpec) -> None:
    """Raise `Invalid` for a process whose program is not in the image."""
    release = context.runnable
    for process in release.processes:
        spec = release.container(
            name=f"moonbase-{context.subject.deployment_uuid[:13]}-check-{process.name}",
            network=network.name,
            labels=context.labels(ROLE_COMMAND),
            command=split_command(process.command, process.name),
        )
        try:
            context.adapters.engine.check_program(spec)
        except Invalid as error:
            raise Invalid(f"The process “{process.name}” cannot start: {error.sentence}") from error


def web_container(
    row: Container, release: RunnableRelease, network: str, labels: dict[str, str]
) -> ContainerSpec:
    """The container a row stands for: the reconciler brings it back from the same facts."""
    spec = release.container(row.name, network, labels, command=None)
    return replace(spec, address=row.address, restarts=True)
