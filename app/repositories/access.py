"""Who may fetch from and push to which repository, over SSH and HTTP alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.accounts.models import User
from app.adapters.git import GitService, RepositoryStore
from app.applications.queries import find_application, rights_on
from app.environments.queries import list_tracking
from app.errors import NotAllowed, NotFound
from app.permissions import Permission
from app.repositories.operations import record_push
from app.repositories.queries import find_repository, load_repository

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


def authorise_git(user: User, slug: str, service: GitService) -> str:
    """The key of the repository of application `slug`.

    Raises `NotFound` for strangers and `NotAllowed` for those who may only look.
    """
    application = find_application(slug)
    rights = rights_on(application, user) if application else frozenset()
    if application is None or Permission.REPOSITORY_READ not in rights:
        raise NotFound(f"There is no repository “{slug}”, or you have no access to it.")
    if NEEDED[service] not in rights:
        raise NotAllowed(f"You may fetch from “{slug}”, but not push to it.")
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
    lines = []
    for environment in list_tracking(repository.application_id, moved):
        verb = "deploys now" if environment.is_deployed_on_push else "waits to be deployed"
        lines.append(f"{environment.name} {verb}.")
    return lines
