"""Services: whether all that this deployment needs can be had, before a build is made for
nothing."""

from __future__ import annotations

from dataclasses import dataclass

from app.adapters.services import ServiceKind
from app.adapters.services.variables import variable_names
from app.addons import api
from app.deployments.models import DeploymentKind
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db
from app.services import connections, queries
from app.services.extensions import clean_extensions
from app.services.models import TITLES, ServiceInstance, ServiceServer, ServiceState
from app.services.operations import NewService


@dataclass(frozen=True)
class Asked:
    """A service that an addon asks for."""

    package_name: str
    service: api.Service

    @property
    def kind(self) -> ServiceKind:
        return ServiceKind(self.service.kind)

    @property
    def name(self) -> str:
        return f"{TITLES[self.kind]} “{self.service.prefix}”"

    @property
    def extensions(self) -> tuple[str, ...]:
        return tuple(self.service.options.get("extensions", "").replace(",", " ").split())


class CheckServices(Step):
    """Of a deployment: those people added and those addons ask for. Of a roll back: those that the
    older release uses, which must still be there and work."""

    name = "check_services"
    title = "Services"

    def run(self, context: Context) -> None:
        try:
            if context.subject.kind == DeploymentKind.ROLL_BACK:
                _check_release(context)
            else:
                _check_added(context)
        finally:
            db.session.rollback()  # it has read rows: no transaction stays open


def _check_release(context: Context) -> None:
    for number in require_release_services(context):
        db.session.rollback()
        connections.check_answers(number)


def require_release_services(context: Context) -> list[int]:
    """Numbers of the instances that the release uses. Raises `Invalid` for one that is gone."""
    services = context.runnable.services
    return connections.require_instances(
        context.subject.environment_id,
        [row.uuid for row in services],
        [row.name for row in services],
    )


def _check_added(context: Context) -> None:
    environment = db.session.get_one(Environment, context.subject.environment_id)
    for row in queries.list_instances(environment.id):
        if row.state in queries.WANTED and row.provisioned_at is None:
            _refuse_withdrawn(row)
    owners: dict[str, str] = {}
    for asked in asked_services(context):
        clean_extensions(asked.kind, asked.extensions)
        find_or_offer(environment, asked)
        for name in variable_names(asked.kind, asked.service.prefix):
            if other := owners.get(name):
                raise Invalid(f"Addons ask for {other} and for {asked.name}: both bring {name}.")
            owners[name] = asked.name


def _refuse_withdrawn(row: ServiceInstance) -> None:
    if not row.server.is_on_offer:
        raise Invalid(
            f"{row.name} was to be made on {row.server.name}, which is not on offer any more. "
            "Remove it on the page Services and add another one."
        )


def asked_services(context: Context) -> list[Asked]:
    """What addons ask for, once each, with the addon that is named first."""
    found: dict[tuple[str, str], Asked] = {}
    for part in context.asked.parts:
        for service in part.contribution.services:
            key = (str(service.kind), service.prefix)
            found.setdefault(key, Asked(part.package_name, service))
    return list(found.values())


def find_or_offer(environment: Environment, asked: Asked) -> ServiceInstance | NewService:
    """The instance an addon means, or how to make it. Raises `Invalid` when people have detached or
    removed it, another one has its variables, or none can be had."""
    for row in queries.list_all_instances([environment.id]):
        if row.kind == asked.kind and row.prefix == asked.service.prefix:
            return _usable(row, asked)
        if set(variable_names(row.kind, row.prefix)) & set(
            variable_names(asked.kind, asked.service.prefix)
        ):
            raise Invalid(
                f"The addon {asked.package_name} needs {asked.name}, but {row.name} has the same "
                "variables. Rename its prefix, or remove one of the two."
            )
    server = _offer(environment, asked)
    return NewService(server, asked.service.prefix, asked.extensions, asked.package_name)


def _usable(row: ServiceInstance, asked: Asked) -> ServiceInstance:
    needs = f"The addon {asked.package_name} needs {asked.name}"
    if row.trashed_at or row.state == ServiceState.REMOVING:
        raise Invalid(f"{needs}, which is in the trash. Restore it and attach it.")
    if row.state not in queries.WANTED:
        raise Invalid(f"{needs}, which is detached. Attach it, or remove the addon.")
    return row


def _offer(environment: Environment, asked: Asked) -> ServiceServer:
    version = asked.service.options.get("version", "")
    server = queries.find_offer(environment.region_id, asked.kind, version)
    if server is None:
        what = f"{TITLES[asked.kind]} {version}".rstrip()
        raise Invalid(
            f"The addon {asked.package_name} needs {what}, which is not on offer in this region. "
            "Ask the operator for it."
        )
    return server
