"""Creating an application with its environments, repository, plan and addresses."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.models import User
from app.adapters.git import Author, RepositoryStore
from app.applications import operations as applications
from app.applications.models import Application, Starter
from app.config import Settings
from app.domains.operations import add_platform_domain
from app.environments.models import LIVE, TEST
from app.environments.operations import create_environment
from app.lifecycle.starters import starter_files
from app.organisations.models import Organisation
from app.plans.operations import subscribe
from app.regions.queries import LOCAL, find_region
from app.repositories.operations import DEFAULT_BRANCH, create_repository, refresh_branch

FIRST_COMMIT = "Begin the site"


@dataclass(frozen=True)
class NewApplication:
    """What a person says of a new application."""

    name: str
    slug: str
    starter: Starter


def create_application(
    wanted: NewApplication,
    organisation: Organisation,
    actor: User,
    store: RepositoryStore,
    settings: Settings,
) -> Application:
    """An application with Test and Live (C1), a repository and its platform addresses (E4).

    The repository is made last: when anything before it is refused, nothing is left on disk.
    """
    application = applications.create_application(
        organisation, wanted.name, wanted.slug, wanted.starter, actor
    )
    subscribe(application.id)
    region = find_region(LOCAL)
    if region is None:
        raise RuntimeError("the installation has no region; `flask panel migrate` makes the first")
    environments = [
        create_environment(application, region, slug, name, DEFAULT_BRANCH)
        for slug, name in ((TEST, "Test"), (LIVE, "Live"))
    ]
    for environment in environments:
        add_platform_domain(environment, settings.platform_domain)
    repository = create_repository(application.id, store)
    files = starter_files(application)
    if files:
        author = Author(actor.name, actor.email)
        store.commit(repository.uuid, DEFAULT_BRANCH, files, FIRST_COMMIT, author, expected=None)
    for environment in environments:
        refresh_branch(environment, store)
    return application
