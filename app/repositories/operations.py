"""Making repositories, and keeping count of what waits in them."""

from __future__ import annotations

from collections.abc import Collection

from app.adapters.git import RepositoryStore
from app.environments.models import Environment
from app.environments.queries import list_tracking
from app.extensions import db, now
from app.repositories import queries
from app.repositories.models import Repository, TrackedBranch
from app.signals import repository_pushed
from app.transactions import after_commit

DEFAULT_BRANCH = "main"


def create_repository(application_id: int, store: RepositoryStore) -> Repository:
    """An empty repository with branch `main`."""
    repository = Repository(application_id=application_id, default_branch=DEFAULT_BRANCH)
    db.session.add(repository)
    db.session.flush()
    store.create(repository.uuid, DEFAULT_BRANCH)
    return repository


def record_push(
    application_id: int, branches: Collection[str], store: RepositoryStore, person_id: int
) -> int:
    """Bring the environments that follow `branches` up to date, and tell whoever deploys.

    Returns how many environments follow one of them.
    """
    repository = queries.load_repository(application_id)
    repository.pushed_at = now()
    environments = list_tracking(application_id, list(branches))
    for environment in environments:
        refresh_branch(environment, store).pushed_by_id = person_id
    moved = list(branches)
    after_commit(lambda: repository_pushed.send(application_id=application_id, branches=moved))
    return len(environments)


def refresh_branch(environment: Environment, store: RepositoryStore) -> TrackedBranch:
    """Read the tip of the environment's branch and count what is not deployed."""
    key = queries.load_repository(environment.application_id).uuid
    tracked = queries.find_tracked_branch(environment.id)
    if tracked is None:
        tracked = TrackedBranch(environment_id=environment.id)
        db.session.add(tracked)
    tracked.head = store.resolve(key, environment.branch)
    if tracked.head is None:
        tracked.waiting, tracked.subject, tracked.author = 0, "", ""
        return tracked
    newest = store.log(key, tracked.head, None, 1)[0]
    tracked.subject, tracked.author = newest.subject[:200], newest.author_name[:100]
    tracked.committed_at = newest.committed_at
    tracked.waiting = store.count(key, tracked.head, tracked.deployed)
    return tracked


def mark_deployed(environment: Environment, commit: str, store: RepositoryStore) -> None:
    """Remember which commit runs, and count again."""
    tracked = queries.find_tracked_branch(environment.id) or refresh_branch(environment, store)
    tracked.deployed = commit
    refresh_branch(environment, store)
