"""Resolving an environment's configuration from all the rooms that have a say in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from app.adapters.engine import Limits
from app.domains.queries import Addresses, resolve_addresses
from app.environments.models import Environment
from app.extensions import db
from app.plans.models import Plan
from app.plans.queries import load_plan
from app.runtime.models import ReleaseCommand
from app.runtime.processes import (
    Process,
    ScheduledJob,
    list_processes,
    scheduled_jobs,
    variables_for,
)
from app.services.uses import ServiceUse, resolve_services, variables_from
from app.variables.models import Variable
from app.variables.queries import variables_of

HEADROOM = 2
"""The plan's memory is soft; the kernel's limit is 200 % of it (L7107–7110)."""
MEGABYTE = 1024**2


SECRET_NAMES = frozenset({"SECRET_KEY"})
"""Automatic variables whose values are secrets."""


@dataclass(frozen=True)
class Configuration:
    """Everything a release is made of, besides its image. `secrets` are values to mask."""

    variables: Mapping[str, str]
    secrets: tuple[str, ...]
    containers: int
    limits: Limits
    build_limits: Limits
    release_commands: tuple[tuple[str, str], ...]
    """Label and command, in order."""
    port: int | None
    """What the person set as `PORT`, to correct a wrong detection (L5152)."""
    hosts: tuple[str, ...]
    redirects: tuple[tuple[str, str, int], ...]
    """Host, target and status: read together with the variables that tell the site of them."""
    secret_names: frozenset[str]
    own_names: frozenset[str]
    """Those that people set; the others are automatic."""
    processes: tuple[Process, ...] = ()
    """By name; what addons bring comes to them in the pipeline."""
    worker_containers: int = 0
    """How many containers of all processes together the plan allows."""
    cron_jobs: tuple[ScheduledJob, ...] = ()
    services: tuple[ServiceUse, ...] = ()
    """The instances it would use, provisioned or not."""


@dataclass(frozen=True)
class _Shared:
    """What the environments of one application have in common."""

    plan: Plan
    commands: Sequence[ReleaseCommand]
    processes: tuple[Process, ...]


def resolve_configuration(environment: Environment) -> Configuration:
    """What a deployment of `environment` would run with now."""
    return resolve_configurations([environment])[environment.id]


def resolve_configurations(environments: Sequence[Environment]) -> Mapping[int, Configuration]:
    """`resolve_configuration` for environments of one application: as many queries for ten as for
    one."""
    if not environments:
        return {}
    application_id = environments[0].application_id
    own = variables_of([row.id for row in environments])
    shared = _Shared(
        load_plan(application_id),
        list_release_commands(application_id),
        list_processes(application_id),
    )
    addresses = resolve_addresses([row.id for row in environments])
    jobs = scheduled_jobs([row.id for row in environments])
    services = resolve_services([row.id for row in environments])
    return {
        row.id: with_services(
            _resolved(row, own[row.id], addresses[row.id], jobs[row.id], shared), services[row.id]
        )
        for row in environments
    }


def with_services(configuration: Configuration, uses: tuple[ServiceUse, ...]) -> Configuration:
    """The same with the variables of these instances, below all others, in place of those of the
    instances it had."""
    before, brought = variables_from(configuration.services), variables_from(uses)
    others = {
        name: value
        for name, value in configuration.variables.items()
        if name in configuration.own_names or before.get(name) != value
    }
    secrets = [*configuration.secrets, *(value for use in uses for value in use.secrets)]
    return replace(
        configuration,
        variables={**brought, **others},
        secrets=tuple(dict.fromkeys(secrets)),
        secret_names=configuration.secret_names | (brought.keys() - others.keys()),
        services=uses,
    )


def _resolved(
    environment: Environment,
    own: Sequence[Variable],
    addresses: Addresses,
    jobs: tuple[ScheduledJob, ...],
    shared: _Shared,
) -> Configuration:
    plan = shared.plan
    automatic = _automatic(environment, addresses, shared.processes)
    own_names = frozenset(row.name for row in own)
    variables = automatic | {row.name: row.value for row in own}
    port = variables.get("PORT", "").strip()
    return Configuration(
        variables=variables,
        secrets=(automatic["SECRET_KEY"], *(row.value for row in own if row.is_secret)),
        containers=min(environment.containers, plan.live_containers),
        limits=Limits(
            memory_bytes=plan.memory_mb * MEGABYTE * HEADROOM, cpus=plan.cpus, pids=plan.pids
        ),
        build_limits=Limits(plan.build_memory_mb * MEGABYTE, plan.build_cpus, plan.pids * 4),
        release_commands=tuple((row.label, row.command) for row in shared.commands),
        port=int(port) if port.isdigit() else None,
        hosts=tuple(addresses.hosts),
        redirects=tuple(addresses.redirects),
        secret_names=SECRET_NAMES | {row.name for row in own if row.is_secret},
        own_names=own_names,
        processes=shared.processes,
        worker_containers=plan.worker_containers,
        cron_jobs=jobs,
    )


def automatic_variables(environment: Environment) -> dict[str, str]:
    """What the platform sets (L5921–5941; `DEBUG` and `SITE_NAME` L5107–5130)."""
    addresses = resolve_addresses([environment.id])[environment.id]
    return _automatic(environment, addresses, list_processes(environment.application_id))


def service_variables(environment: Environment) -> dict[str, ServiceUse]:
    """Which instance brings which variable at the next deployment, also one that is not
    provisioned yet."""
    uses = resolve_services([environment.id])[environment.id]
    return {name: use for use in uses for name in use.names}


def _automatic(
    environment: Environment, addresses: Addresses, processes: Sequence[Process]
) -> dict[str, str]:
    return {
        "SECRET_KEY": environment.secret_key,
        "STAGE": environment.slug,
        **addresses.variables,
        "GIT_BRANCH": environment.branch,
        "SITE_NAME": environment.application.name,
        "DEBUG": "True" if environment.is_test else "False",
        **variables_for(processes),
    }


def list_release_commands(application_id: int) -> Sequence[ReleaseCommand]:
    """In the order they were added."""
    return db.session.scalars(
        select(ReleaseCommand)
        .where(ReleaseCommand.application_id == application_id)
        .order_by(ReleaseCommand.id)
    ).all()
