"""Adding an environment to an application, empty or like another one (C1)."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.applications.models import Application
from app.backups.restoring import copy_environment_data
from app.config import Settings
from app.domains.operations import add_platform_domain
from app.environments.models import Environment
from app.environments.operations import create_environment, record_on
from app.environments.queries import find_environment
from app.errors import Invalid
from app.regions.queries import LOCAL, find_region
from app.repositories.operations import DEFAULT_BRANCH, refresh_branch
from app.services.operations import copy_instances, request_provisioning
from app.variables.operations import copy_variables


@dataclass(frozen=True)
class NewEnvironment:
    """What a person says of a new environment. `source` is the slug of the one to be like, or
    empty; an empty `branch` means the source's, or main."""

    name: str
    slug: str
    branch: str = ""
    source: str = ""


def add_environment(
    application: Application,
    wanted: NewEnvironment,
    actor: User,
    store: RepositoryStore,
    settings: Settings,
) -> Environment:
    """A new environment with its platform address, not deployed yet.

    From a source it takes the branch, deploy-on-push and all variables, secret ones too, and
    services of the same kinds with what is in them, brought there as soon as they are provisioned;
    never its domains, and one container even from Live: several are Live's alone (L7077–7080).
    """
    source = find_environment(application.id, wanted.source) if wanted.source else None
    if wanted.source and source is None:
        raise Invalid("The environment to copy is not there any more. Choose another.", "source")
    region = source.region if source else find_region(LOCAL)
    if region is None:
        raise RuntimeError("the installation has no region; `flask panel migrate` makes the first")
    branch = wanted.branch.strip() or (source.branch if source else DEFAULT_BRANCH)
    environment = create_environment(application, region, wanted.slug, wanted.name, branch)
    add_platform_domain(environment, settings.platform_domain)
    if source:
        environment.is_deployed_on_push = source.is_deployed_on_push
        copy_variables(source, environment, None, actor)
        copy_instances(source, environment, actor)
        _copy_data(source, environment, actor)
    refresh_branch(environment, store)
    record_on(
        environment,
        "environment.create",
        actor,
        name=environment.name,
        branch=environment.branch,
        copied_from=source.slug if source else "",
    )
    return environment


def _copy_data(source: Environment, environment: Environment, actor: User) -> None:
    """Database and media (C1). What receives data is provisioned now, not by the first deployment:
    that one finds it filled, or waits while it is."""
    for restoration in copy_environment_data(source, environment, actor):
        request_provisioning(restoration.instance, actor)
