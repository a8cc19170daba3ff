"""Making repositories, and keeping count of what waits in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.adapters.git import CommitInfo, RepositoryStore
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
    for tracked in refresh_branches(environments, store):
        tracked.pushed_by_id = person_id
    moved = list(branches)
    after_commit(lambda: repository_pushed.send(application_id=application_id, branches=moved))
    return len(environments)


def refresh_branch(environment: Environment, store: RepositoryStore) -> TrackedBranch:
    """Read the tip of the environment's branch and count what is not deployed."""
    return refresh_branches([environment], store)[0]


def refresh_branches(
    environments: Sequence[Environment], store: RepositoryStore
) -> list[TrackedBranch]:
    """`refresh_branch` for environments of one application: what they share is read once."""
    if not environments:
        return []
    key = queries.load_repository(environments[0].application_id).uuid
    tips = {row.branch: store.tip(key, row.branch) for row in environments}
    rows = queries.tracked_branches([row.id for row in environments])
    return [
        _refreshed(environment, rows.get(environment.id), tips[environment.branch], (key, store))
        for environment in environments
    ]


def _refreshed(
    environment: Environment,
    tracked: TrackedBranch | None,
    tip: CommitInfo | None,
    where: tuple[str, RepositoryStore],
) -> TrackedBranch:
    if tracked is None:
        tracked = TrackedBranch(environment_id=environment.id)
        db.session.add(tracked)
    tracked.head = tip.sha if tip else None
    if tip is None:
        tracked.waiting, tracked.subject, tracked.author = 0, "", ""
        return tracked
    key, store = where
    tracked.subject, tracked.author = tip.subject[:200], tip.author_name[:100]
    tracked.committed_at = tip.committed_at
    is_deployed = tracked.deployed == tip.sha
    tracked.waiting = 0 if is_deployed else store.count(key, tip.sha, tracked.deployed)
    return tracked


def mark_deployed(environment: Environment, commit: str, store: RepositoryStore) -> None:
    """Remember which commit runs, and count again."""
    tracked = queries.find_tracked_branch(environment.id) or refresh_branch(environment, store)
    tracked.deployed = commit
    refresh_branch(environment, store)
