"""An environment whose current image is gone: nothing can be started from it any more."""

from __future__ import annotations

from sqlalchemy import delete

from app.adapters.git import RepositoryStore
from app.deployments import queries
from app.deployments.models import (
    Container,
    Deployment,
    DeploymentKind,
    DeploymentStatus,
    WorkerContainer,
)
from app.environments.models import Environment
from app.extensions import db, now
from app.repositories.operations import refresh_branch
from app.repositories.queries import find_tracked_branch
from app.routes.operations import point_route

SENTENCE = "The image of release {number} is gone, so it cannot be started again."
ADVICE = "Deploy: the image is built once more from the repository."


def forget_lost_image(environment: Environment, store: RepositoryStore) -> None:
    """Note that what ran here cannot run any more, as a failed deployment that says what to do.
    Does nothing where nothing ran, or where a deployment is under way."""
    current = queries.find_current(environment.id)
    if current is None or queries.active_deployments(environment.id):
        return
    release = current.release
    release.build.removed_at = release.build.removed_at or now()
    db.session.add(
        Deployment(
            environment=environment,
            kind=DeploymentKind.ROLL_BACK,
            status=DeploymentStatus.FAILED,
            commit=release.commit,
            subject=f"Back to release {release.number}",
            release_id=release.id,
            started_at=now(),
            ended_at=now(),
            sentence=SENTENCE.format(number=release.number),
            advice=ADVICE,
        )
    )
    db.session.execute(delete(Container).where(Container.environment_id == environment.id))
    db.session.execute(
        delete(WorkerContainer).where(WorkerContainer.environment_id == environment.id)
    )
    db.session.delete(current)
    db.session.flush()
    tracked = find_tracked_branch(environment.id)
    if tracked:
        tracked.deployed = None
        refresh_branch(environment, store)
    point_route(environment.id, ())
