"""Resolving an environment's configuration from all the rooms that have a say in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.adapters.engine import Limits
from app.domains.queries import primary_host
from app.environments.models import Environment
from app.extensions import db
from app.plans.queries import load_plan
from app.runtime.models import ReleaseCommand
from app.variables.queries import list_variables

HEADROOM = 2
"""The plan's memory is soft; the kernel's limit is 200 % of it (L7107–7110)."""
MEGABYTE = 1024**2


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


def resolve_configuration(environment: Environment) -> Configuration:
    """What a deployment of `environment` would run with now."""
    own = list_variables(environment.id)
    automatic = automatic_variables(environment)
    variables = automatic | {row.name: row.value for row in own}
    plan = load_plan(environment.application_id)
    limits = Limits(
        memory_bytes=plan.memory_mb * MEGABYTE * HEADROOM, cpus=plan.cpus, pids=plan.pids
    )
    commands = list_release_commands(environment.application_id)
    port = variables.get("PORT", "").strip()
    return Configuration(
        variables=variables,
        secrets=(automatic["SECRET_KEY"], *(row.value for row in own if row.is_secret)),
        containers=min(environment.containers, plan.live_containers),
        limits=limits,
        build_limits=Limits(plan.build_memory_mb * MEGABYTE, plan.build_cpus, plan.pids * 4),
        release_commands=tuple((row.label, row.command) for row in commands),
        port=int(port) if port.isdigit() else None,
    )


def automatic_variables(environment: Environment) -> dict[str, str]:
    """What the platform sets (L5921–5941; `DEBUG` and `SITE_NAME` L5107–5130)."""
    return {
        "SECRET_KEY": environment.secret_key,
        "STAGE": environment.slug,
        "DOMAIN": primary_host(environment.id),
        "DOMAIN_ALIASES": "",
        "DOMAIN_REDIRECTS": "",
        "GIT_BRANCH": environment.branch,
        "SITE_NAME": environment.application.name,
        "DEBUG": "True" if environment.is_test else "False",
    }


def list_release_commands(application_id: int) -> Sequence[ReleaseCommand]:
    """In the order they were added."""
    return db.session.scalars(
        select(ReleaseCommand)
        .where(ReleaseCommand.application_id == application_id)
        .order_by(ReleaseCommand.id)
    ).all()
