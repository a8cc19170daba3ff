"""Who may fetch from and push to which repository, over SSH and HTTP alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.accounts.models import AccessToken, User
from app.adapters.git import GitService, RepositoryStore
from app.applications.models import Application
from app.applications.queries import find_application, rights_behind_the_door
from app.audit.operations import record
from app.environments.queries import list_tracking
from app.errors import NotAllowed, NotFound, SecondFactorNeeded
from app.extensions import db
from app.organisations.second_factor import lets_in
from app.permissions import Permission
from app.repositories.operations import record_push
from app.repositories.queries import find_repository, load_repository

AUDITED = 20
"""Branches a push is recorded with: a mirror may move thousands at once."""
NEEDED = {
    GitService.UPLOAD_PACK: Permission.REPOSITORY_READ,
    GitService.RECEIVE_PACK: Permission.REPOSITORY_WRITE,
}


@dataclass(frozen=True)
class Tips:
    """Branch tips before and after a push."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    def moved(self) -> list[str]:
        """Branches that are new, elsewhere or gone."""
        names = {*self.before, *self.after}
        return sorted(name for name in names if self.before.get(name) != self.after.get(name))


def authorise_git(
    user: User, slug: str, service: GitService, token: AccessToken | None = None
) -> str:
    """The key of the repository of application `slug`, for a person with a key of theirs, or with
    `token`, which may let them do less.

    Raises `NotFound` for strangers, `NotAllowed` for those who may only look, and
    `SecondFactorNeeded` for those without one where the organisation asks for it.
    """
    application = find_application(slug)
    rights = rights_behind_the_door(application, user) if application else frozenset()
    granted = token.limit(rights, application.organisation_id) if application and token else rights
    if application is None or Permission.REPOSITORY_READ not in granted:
        raise NotFound(f"There is no repository “{slug}”, or you have no access to it.")
    if not lets_in(application.organisation, user):
        raise SecondFactorNeeded(
            f"{application.organisation.name} asks its members for a second factor. Set one up on "
            "your account pages, then try again."
        )
    if NEEDED[service] not in rights:
        raise NotAllowed(f"You may fetch from “{slug}”, but not push to it.")
    if token and NEEDED[service] not in granted:
        raise NotAllowed(
            f"The token “{token.name}” lets you fetch from “{slug}”, but not push to it. Make one "
            "that may work on sites."
        )
    return load_repository(application.id).uuid


def finish_push(key: str, tips: Tips, store: RepositoryStore, person_id: int) -> list[str]:
    """Take note of what this person pushed. Returns lines to show to them.

    Belongs into a unit of work.
    """
    moved = tips.moved()
    repository = find_repository(key)
    if repository is None or not moved:
        return []
    record_push(repository.application_id, moved, store, person_id)
    application = db.session.get_one(Application, repository.application_id)
    record(
        "repository.push",
        application.slug,
        actor=db.session.get(User, person_id),
        organisation_id=application.organisation_id,
        before={name: tips.before.get(name) for name in moved[:AUDITED]},
        after={name: tips.after.get(name) for name in moved[:AUDITED]},
        branches=len(moved),
    )
    lines = []
    for environment in list_tracking(repository.application_id, moved):
        verb = "deploys now" if environment.is_deployed_on_push else "waits to be deployed"
        lines.append(f"{environment.name} {verb}.")
    return lines
