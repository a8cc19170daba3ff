"""Provision: services are made that are not yet, and the environment's network reaches them."""

from __future__ import annotations

from sqlalchemy import select

from app.deployments.models import DeploymentKind
from app.deployments.networks import network_of
from app.deployments.pipeline.check_services import (
    asked_services,
    find_or_offer,
    require_release_services,
)
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.environments.models import Environment
from app.extensions import db
from app.runtime.queries import with_services
from app.services import connections, queries
from app.services.extensions import clean_extensions
from app.services.models import ServiceInstance, ServiceState
from app.services.operations import NewService, add_instance, begin_provisioning
from app.services.provisioning import add_extensions, provision_or_wait
from app.services.uses import resolve_services


class ProvisionServices(Step):
    """What it makes stays when a later step fails: it works, and the next deployment takes it. The
    running release is not told of it, and loses nothing."""

    name = "provision_services"
    title = "Provision services"

    def plan(self, context: Context) -> None:
        """Rows of what addons ask for, and who is to be provisioned: known before it is made."""
        context.network = network_of(context)
        if context.subject.kind == DeploymentKind.ROLL_BACK:
            context.instances = tuple(require_release_services(context))
            return
        environment = db.session.get_one(Environment, context.subject.environment_id)
        _add_asked(context, environment)
        rows = queries.instances_of([environment.id])[environment.id]
        for row in rows:
            if row.state in (ServiceState.NEW, ServiceState.FAILED):
                begin_provisioning(row)
        context.instances = tuple(row.id for row in rows)

    def run(self, context: Context) -> None:
        if not context.instances:
            return
        context.log.heading("services")
        if context.network is None:
            raise RuntimeError("the network is planned before services are connected to it")
        context.adapters.engine.ensure_network(context.network)
        for number in context.instances:
            if context.subject.kind == DeploymentKind.DEPLOY:
                provision_or_wait(number, context.cancelled.is_set)
            if number in context.extensions:
                add_extensions(number, context.extensions[number])
            if context.cancelled.is_set():
                return
            name = connections.connect(number, context.network.name)
            context.log.line(f"{name} is ready")

    def record(self, context: Context) -> None:
        """From here on the release to be written knows how to reach them."""
        if context.subject.kind == DeploymentKind.ROLL_BACK:
            return
        number = context.subject.environment_id
        chosen = select(ServiceInstance.uuid).where(ServiceInstance.id.in_(context.instances))
        planned = set(db.session.scalars(chosen))
        uses = tuple(row for row in resolve_services([number])[number] if row.uuid in planned)
        context.configuration = with_services(context.configuration, uses)
        context.log.mask_too(context.configuration.secrets)


def _add_asked(context: Context, environment: Environment) -> None:
    """Make rows of what is missing, and note extensions that are asked for anew."""
    for asked in asked_services(context):
        found = find_or_offer(environment, asked)
        if isinstance(found, NewService):
            add_instance(environment, found, None)
            context.log.line(f"The addon {asked.package_name} brings {asked.name}")
            continue
        present: list[str] = found.source.options.get("extensions", [])
        wanted = clean_extensions(found.kind, [*present, *asked.extensions])
        if set(wanted) == set(present) or found.original_id is not None:
            continue  # what is another's is as its own site has it
        if found.provisioned_at:
            context.extensions[found.id] = wanted
        else:
            found.options = {**found.options, "extensions": wanted}
