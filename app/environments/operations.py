"""Making and changing environments."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import User
from app.adapters.git.commands import is_valid_branch_name
from app.applications.models import Application
from app.audit.operations import State, record
from app.environments import queries
from app.environments.models import LIVE, Environment
from app.errors import Invalid
from app.extensions import db
from app.names import clean_environment_slug, clean_name
from app.regions.models import Region

BRANCH_LENGTH = 200
ENVIRONMENTS_ALLOWED = 10
"""Per application, those in the trash included. Every environment takes one of the 2,015 slices
of the region's network pool, so that two hundred applications can use all they are allowed."""
RESERVED_SLUGS = frozenset({"new", "trash", "stage", "production", "media"})
"""Addresses of pages, and names that people would take for Test (`…-stage`) or Live."""


@dataclass(frozen=True)
class EnvironmentSettings:
    """What a person may set on an environment."""

    branch: str
    containers: int
    is_deployed_on_push: bool
    name: str | None = None
    """What people see; None keeps it. Slug and address never change."""


def create_environment(
    application: Application, region: Region, slug: str, name: str, branch: str
) -> Environment:
    """A new, empty environment. Raises `Invalid` when the application has one of that name, also
    in the trash, or has as many as it may."""
    address = clean_environment_slug(slug)
    _take_turns(application)
    _refuse_taken(application, address)
    environment = Environment(
        application=application,
        region=region,
        slug=address,
        name=clean_name(name),
        branch=clean_branch(branch),
    )
    db.session.add(environment)
    db.session.flush()
    return environment


def _take_turns(application: Application) -> None:
    """Two people must not add the last one both; SQLite has locked everything already."""
    db.session.refresh(application, with_for_update={"key_share": True})


def _refuse_taken(application: Application, slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise Invalid(f"“{slug}” is reserved for the platform. Choose another.", "slug")
    holder = queries.find_holder(application.id, slug)
    if holder and holder.is_trashed:
        raise Invalid(
            f"“{slug}” is the address name of an environment in the trash. Restore that one or "
            "delete it for good, or choose another name.",
            "slug",
        )
    if holder:
        raise Invalid(f"There is an environment “{slug}” already.", "slug")
    if queries.count_environments(application.id) >= ENVIRONMENTS_ALLOWED:
        raise Invalid(
            f"An application has at most {ENVIRONMENTS_ALLOWED} environments, those in the trash "
            "included. Delete one for good first."
        )


def update_environment(
    environment: Environment, wanted: EnvironmentSettings, containers_allowed: int, actor: User
) -> None:
    """Change branch, number of containers and deploy-on-push, effective at the next deployment,
    and the name, effective at once."""
    if wanted.containers < 1:
        raise Invalid("An environment needs at least one container.", "containers")
    if wanted.containers > 1 and environment.slug != LIVE:
        raise Invalid("Only Live can run several containers.", "containers")
    if wanted.containers > containers_allowed:
        raise Invalid(f"The plan allows {containers_allowed} containers.", "containers")
    before = _facts(environment)
    if wanted.name is not None:
        environment.name = clean_name(wanted.name)
    environment.branch = clean_branch(wanted.branch)
    environment.containers = wanted.containers
    environment.is_deployed_on_push = wanted.is_deployed_on_push
    record_on(environment, "environment.update", actor, before=before, after=_facts(environment))


def record_on(
    environment: Environment,
    action: str,
    actor: User | None,
    before: State = None,
    after: State = None,
    **details: object,
) -> None:
    """An audit line about something of an environment; see `app.audit.operations.record`."""
    record(
        action,
        environment.place,
        actor=actor,
        organisation_id=environment.application.organisation_id,
        before=before,
        after=after,
        **details,
    )


def _facts(environment: Environment) -> dict[str, object]:
    return {
        "name": environment.name,
        "branch": environment.branch,
        "containers": environment.containers,
        "deploy_on_push": environment.is_deployed_on_push,
    }


def take_turns(environment_id: int) -> None:
    """One writer at a time among the settings of an environment; what was read before this is read
    again behind it. PostgreSQL locks the row, SQLite has locked everything already."""
    if db.engine.dialect.name == "sqlite":
        return
    lock = select(Environment.id).where(Environment.id == environment_id)
    db.session.execute(lock.with_for_update(key_share=True))


def clean_branch(text: str) -> str:
    """A branch name Git would take. It need not exist yet."""
    branch = text.strip()
    if len(branch) > BRANCH_LENGTH or not is_valid_branch_name(branch):
        raise Invalid("Git does not allow this branch name. One like “main” is.", "branch")
    return branch
