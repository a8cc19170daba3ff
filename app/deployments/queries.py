"""Finding deployments and releases, for pages, the pipeline and the scheduler."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import defer, joinedload

from app.deployments.models import (
    Build,
    Container,
    CurrentRelease,
    Deployment,
    DeploymentKind,
    DeploymentStatus,
    DeploymentStep,
    Release,
    WorkerContainer,
)
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db, now
from app.repositories.models import TrackedBranch
from app.transactions import once_a_reading

ACTIVE = (DeploymentStatus.QUEUED, DeploymentStatus.RUNNING)
HISTORY = 5
"""How many earlier deployments the expected time of a step is the median of."""


def find_deployment(uuid: str) -> Deployment | None:
    return db.session.scalar(select(Deployment).where(Deployment.uuid == uuid))


def list_deployments(application_id: int) -> Select[Deployment]:
    """An application's deployments, newest first, with what their rows show."""
    return (
        select(Deployment)
        .join(Environment)
        .where(Environment.application_id == application_id, Environment.trashed_at.is_(None))
        .options(
            joinedload(Deployment.environment),
            joinedload(Deployment.actor),
            joinedload(Deployment.receipt),
        )
        .order_by(Deployment.id.desc())
    )


def active_deployments(environment_id: int) -> Sequence[Deployment]:
    """The running one and the waiting one, if any, in that order."""
    return db.session.scalars(
        select(Deployment)
        .where(Deployment.environment_id == environment_id, Deployment.status.in_(ACTIVE))
        .order_by(Deployment.id)
    ).all()


@once_a_reading
def latest_deployments(environment_ids: Sequence[int]) -> Mapping[int, Deployment]:
    """The newest of each environment, in one query."""
    newest = (
        select(func.max(Deployment.id))
        .where(Deployment.environment_id.in_(environment_ids))
        .group_by(Deployment.environment_id)
    )
    rows = db.session.scalars(
        select(Deployment)
        .where(Deployment.id.in_(newest))
        .options(joinedload(Deployment.actor), joinedload(Deployment.receipt))
    )
    return {row.environment_id: row for row in rows}


def newest_deployed_commit(environment_id: int) -> str | None:
    """The commit last asked to be deployed, whatever became of it; rolling back does not count."""
    return db.session.scalars(
        select(Deployment.commit)
        .where(
            Deployment.environment_id == environment_id, Deployment.kind == DeploymentKind.DEPLOY
        )
        .order_by(Deployment.id.desc())
        .limit(1)
    ).first()


def list_pushed_environments() -> Sequence[int]:
    """Environments that deploy on push and whose newest commit was not asked to be deployed yet:
    the signal may have been lost."""
    asked = (
        select(Deployment.commit)
        .where(
            Deployment.environment_id == Environment.id, Deployment.kind == DeploymentKind.DEPLOY
        )
        .order_by(Deployment.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return db.session.scalars(
        select(Environment.id)
        .join(TrackedBranch, TrackedBranch.environment_id == Environment.id)
        .where(
            Environment.is_deployed_on_push,
            TrackedBranch.waiting > 0,
            TrackedBranch.head.is_distinct_from(asked),
            is_in_use(),
        )
    ).all()


def current_releases(environment_ids: Sequence[int]) -> Mapping[int, CurrentRelease]:
    """What each environment runs, in one query that decrypts nothing."""
    rows = db.session.scalars(
        select(CurrentRelease)
        .where(CurrentRelease.environment_id.in_(environment_ids))
        .options(
            joinedload(CurrentRelease.release).options(
                defer(Release.encrypted_variables), defer(Release.secrets)
            ),
            joinedload(CurrentRelease.deployment),
        )
    )
    return {row.environment_id: row for row in rows}


@once_a_reading
def decrypted_releases(environment_ids: Sequence[int]) -> Mapping[int, CurrentRelease]:
    """`current_releases` with their variables, and the keys of their environments."""
    rows = db.session.scalars(
        select(CurrentRelease)
        .where(CurrentRelease.environment_id.in_(environment_ids))
        .options(
            joinedload(CurrentRelease.environment).undefer(Environment.secret_key),
            joinedload(CurrentRelease.release),
            joinedload(CurrentRelease.deployment),
        )
    )
    return {row.environment_id: row for row in rows}


def find_current(environment_id: int) -> CurrentRelease | None:
    return db.session.scalar(
        select(CurrentRelease).where(CurrentRelease.environment_id == environment_id)
    )


def list_releases(environment_id: int, limit: int = 10) -> Sequence[Release]:
    """Releases that have served and whose image is kept, newest first: for rolling back."""
    served = select(Deployment.release_id).where(
        Deployment.environment_id == environment_id,
        Deployment.status == DeploymentStatus.SUCCEEDED,
    )
    return db.session.scalars(
        select(Release)
        .join(Build)
        .where(Release.id.in_(served), Build.removed_at.is_(None))
        .options(joinedload(Release.build))
        .order_by(Release.id.desc())
        .limit(limit)
    ).all()


def moments_asked(release_ids: Sequence[int]) -> Mapping[int, datetime.datetime]:
    """When the deployment that made each release was asked for: its commit is as old."""
    rows = db.session.execute(
        select(Deployment.release_id, func.min(Deployment.created_at))
        .where(Deployment.release_id.in_(release_ids))
        .group_by(Deployment.release_id)
    )
    return {number: moment for number, moment in rows if number is not None}


def find_build(application_id: int, commit: str, additions: str | None = None) -> Build | None:
    """The newest kept image of a commit; with `additions` (None: any) beyond its files."""
    same = () if additions is None else (Build.additions == additions,)
    return db.session.scalars(
        select(Build)
        .where(
            Build.application_id == application_id,
            Build.commit == commit,
            Build.removed_at.is_(None),
            *same,
        )
        .order_by(Build.id.desc())
    ).first()


def list_containers(environment_id: int) -> Sequence[Container]:
    return db.session.scalars(
        select(Container).where(Container.environment_id == environment_id).order_by(Container.id)
    ).all()


def list_worker_containers(environment_id: int) -> Sequence[WorkerContainer]:
    return db.session.scalars(
        select(WorkerContainer)
        .where(WorkerContainer.environment_id == environment_id)
        .order_by(WorkerContainer.id)
    ).all()


def lost_deployments(lease_seconds: float) -> Sequence[Deployment]:
    """Running ones whose worker has not been heard of for the length of a lease."""
    since = now() - datetime.timedelta(seconds=lease_seconds)
    return db.session.scalars(
        select(Deployment).where(
            Deployment.status == DeploymentStatus.RUNNING, Deployment.heartbeat_at < since
        )
    ).all()


def startable_deployments() -> Sequence[Deployment]:
    """Waiting ones in whose environment none runs."""
    busy = select(Deployment.environment_id).where(Deployment.status == DeploymentStatus.RUNNING)
    return db.session.scalars(
        select(Deployment).where(
            Deployment.status == DeploymentStatus.QUEUED, Deployment.environment_id.not_in(busy)
        )
    ).all()


def expected_seconds(environment_id: int, kind: DeploymentKind) -> Mapping[str, float]:
    """By step, the median of the last succeeded deployments of this kind; empty at first."""
    recent = (
        select(Deployment.id)
        .where(
            Deployment.environment_id == environment_id,
            Deployment.kind == kind,
            Deployment.status == DeploymentStatus.SUCCEEDED,
        )
        .order_by(Deployment.id.desc())
        .limit(HISTORY)
    )
    steps = db.session.scalars(
        select(DeploymentStep).where(DeploymentStep.deployment_id.in_(recent))
    )
    times: dict[str, list[float]] = {}
    for step in steps:
        if step.seconds is not None:
            times.setdefault(step.name, []).append(step.seconds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}
