"""Making and changing environments."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.models import User
from app.adapters.git.commands import is_valid_branch_name
from app.applications.models import Application
from app.audit.operations import record
from app.environments.models import LIVE, Environment
from app.errors import Invalid
from app.extensions import db
from app.names import clean_environment_slug, clean_name
from app.regions.models import Region

BRANCH_LENGTH = 200


@dataclass(frozen=True)
class EnvironmentSettings:
    """What a person may set on an environment."""

    branch: str
    containers: int
    is_deployed_on_push: bool


def create_environment(
    application: Application, region: Region, slug: str, name: str, branch: str
) -> Environment:
    """A new, empty environment."""
    environment = Environment(
        application=application,
        region=region,
        slug=clean_environment_slug(slug),
        name=clean_name(name),
        branch=clean_branch(branch),
    )
    db.session.add(environment)
    db.session.flush()
    return environment


def update_environment(
    environment: Environment, wanted: EnvironmentSettings, containers_allowed: int, actor: User
) -> None:
    """Change branch, number of containers and deploy-on-push; effective at the next deployment."""
    if wanted.containers < 1:
        raise Invalid("An environment needs at least one container.", "containers")
    if wanted.containers > 1 and environment.slug != LIVE:
        raise Invalid("Only Live can run several containers.", "containers")
    if wanted.containers > containers_allowed:
        raise Invalid(f"The plan allows {containers_allowed} containers.", "containers")
    before = environment.branch
    environment.branch = clean_branch(wanted.branch)
    environment.containers = wanted.containers
    environment.is_deployed_on_push = wanted.is_deployed_on_push
    record(
        "environment.update",
        f"{environment.application.slug}/{environment.slug}",
        actor=actor,
        organisation_id=environment.application.organisation_id,
        branch_before=before,
        branch=environment.branch,
        containers=str(wanted.containers),
        deploy_on_push=str(wanted.is_deployed_on_push),
    )


def clean_branch(text: str) -> str:
    """A branch name Git would take. It need not exist yet."""
    branch = text.strip()
    if len(branch) > BRANCH_LENGTH or not is_valid_branch_name(branch):
        raise Invalid("Git does not allow this branch name. One like “main” is.", "branch")
    return branch
