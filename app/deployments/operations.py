"""Asking for deployments, taking the lease of one, and closing it."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import update

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.adapters.job_queue import Queue
from app.deployments import queries
from app.deployments.models import (
    Deployment,
    DeploymentKind,
    DeploymentStatus,
    Release,
)
from app.deployments.notices import tell_of_failure
from app.deployments.pipeline import POINT_OF_NO_RETURN
from app.environments.models import Environment
from app.environments.operations import record_on
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.repositories.queries import load_repository

RUN_JOB = "app.deployments.jobs.run"
HOLDS: list[Callable[[int], bool]] = []
"""Asked with the environment's number before a deployment begins; True makes it wait. Rooms above
add theirs: a restore is overwriting data that release commands would change meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """How a deployment ended, in words a person can act on."""

    status: DeploymentStatus
    sentence: str = ""
    advice: str = ""


def request_deployment(
    environment: Environment, store: RepositoryStore, actor: User | None
) -> Deployment:
    """Deploy the tip of the environment's branch.

    The same commit asked again while it waits or runs is the same deployment. A newer commit
    waits behind the running one, in the place of one that waited before it.
    """
    _take_turns(environment)
    _refuse_trashed(environment)
    key = load_repository(environment.application_id).uuid
    commit = store.resolve(key, environment.branch)
    if commit is None:
        raise Invalid(_nothing_to_deploy(environment, bool(store.branches(key))))
    for active in queries.active_deployments(environment.id):
        if active.commit == commit and active.kind == DeploymentKind.DEPLOY:
            return active
    subject = store.log(key, commit, None, 1)[0].subject[:200]
    deployment = Deployment(
        kind=DeploymentKind.DEPLOY, commit=commit, subject=subject, environment=environment
    )
    return _queue(deployment, environment, actor)


def _take_turns(environment: Environment) -> None:
    """One at a time in an environment: PostgreSQL locks the row, SQLite has locked everything.

    The lock does not stop rows that only refer to the environment, such as a pipeline writes.
    """
    db.session.refresh(environment, with_for_update={"key_share": True})


def _refuse_trashed(environment: Environment) -> None:
    """Who has had the page open since before it went to the trash."""
    if environment.is_trashed:
        raise Conflict("It is in the trash. Restore it first, then deploy.")


def _nothing_to_deploy(environment: Environment, has_branches: bool) -> str:
    if has_branches:
        return (
            f"The repository has no branch “{environment.branch}”. Push it, or choose another "
            "branch for this environment."
        )
    return "The repository is empty. Push a first commit, then deploy."


def request_roll_back(environment: Environment, release: Release, actor: User) -> Deployment:
    """Run an older release again, in seconds and without a build. Release commands do not run."""
    _take_turns(environment)
    _refuse_trashed(environment)
    if release not in queries.list_releases(environment.id, limit=100):
        raise Invalid("The image of this release is not kept any more. Deploy its commit again.")
    current = queries.find_current(environment.id)
    if current and current.release_id == release.id:
        raise Invalid("This release is what runs now.")
    for active in queries.active_deployments(environment.id):
        if active.release_id == release.id and active.kind == DeploymentKind.ROLL_BACK:
            return active
    deployment = Deployment(
        kind=DeploymentKind.ROLL_BACK,
        commit=release.commit,
        subject=f"Back to release {release.number}",
        release_id=release.id,
        environment=environment,
    )
    return _queue(deployment, environment, actor)


def _queue(deployment: Deployment, environment: Environment, actor: User | None) -> Deployment:
    for active in queries.active_deployments(environment.id):
        if active.status == DeploymentStatus.QUEUED:
            close(active, Outcome(DeploymentStatus.CANCELLED, "A newer request took its place."))
    db.session.flush()
    deployment.actor = actor
    db.session.add(deployment)
    db.session.flush()
    record_on(environment, f"deployment.{deployment.kind}", actor, commit=deployment.commit)
    enqueue_run(deployment.id)
    return deployment


def enqueue_run(deployment_id: int) -> None:
    """Have a worker run a waiting deployment, after the commit."""
    enqueue_after_commit(
        Queue.DEPLOYMENTS, RUN_JOB, deployment_id, key=f"deployment-{deployment_id}"
    )


def request_cancel(deployment: Deployment, actor: User) -> None:
    """Stop a deployment: at once while it waits, within a second while it builds.

    Raises `Conflict` when it has ended, or begun to switch visitors over.
    """
    _take_turns(deployment.environment)
    db.session.refresh(deployment, with_for_update={"key_share": True})
    if deployment.status.is_final:
        raise Conflict("This deployment has ended already.")
    if any(step.name == POINT_OF_NO_RETURN for step in deployment.steps):
        raise Conflict("It is too late to cancel: visitors are being sent to the new containers.")
    record_on(deployment.environment, "deployment.cancel", actor, commit=deployment.commit)
    if deployment.status == DeploymentStatus.QUEUED:
        close(deployment, Outcome(DeploymentStatus.CANCELLED, f"Cancelled by {actor.name}."))
    else:
        deployment.cancel_requested_at = deployment.cancel_requested_at or now()


def cancel_all(environment: Environment, sentence: str) -> None:
    """Stop what waits and what runs there; `sentence` says why. One that has begun to switch
    visitors over runs to its end."""
    _take_turns(environment)
    for deployment in queries.active_deployments(environment.id):
        if deployment.status == DeploymentStatus.QUEUED:
            close(deployment, Outcome(DeploymentStatus.CANCELLED, sentence))
        else:
            deployment.cancel_requested_at = deployment.cancel_requested_at or now()


def take_lease(deployment: Deployment) -> str | None:
    """Begin to run a waiting deployment. None when it does not wait any more, or another one
    still runs in its environment."""
    _take_turns(deployment.environment)
    db.session.refresh(deployment)
    active = queries.active_deployments(deployment.environment_id)
    is_busy = any(row.status == DeploymentStatus.RUNNING for row in active)
    is_busy = is_busy or any(holds(deployment.environment_id) for holds in HOLDS)
    if deployment.status != DeploymentStatus.QUEUED or is_busy:
        return None
    current = queries.find_current(deployment.environment_id)
    deployment.status = DeploymentStatus.RUNNING
    deployment.started_at = deployment.heartbeat_at = now()
    deployment.lease_token = secrets.token_hex(8)
    deployment.previous_commit = current.release.commit if current else None
    return deployment.lease_token


def take_over(deployment: Deployment, lease_seconds: float) -> str | None:
    """Take the lease from a worker that was silent for `lease_seconds`. None when it lives after
    all or another recovery was faster."""
    token = secrets.token_hex(8)
    db.session.execute(
        update(Deployment)
        .where(
            Deployment.id == deployment.id,
            Deployment.status == DeploymentStatus.RUNNING,
            Deployment.heartbeat_at < now() - datetime.timedelta(seconds=lease_seconds),
        )
        .values(lease_token=token, heartbeat_at=now())
    )
    db.session.refresh(deployment)
    return token if deployment.lease_token == token else None


def close(deployment: Deployment, outcome: Outcome) -> None:
    """Write how it ended, free the environment, tell of a failure, and start what waits behind."""
    was_final = deployment.status.is_final
    deployment.status = outcome.status
    deployment.sentence = outcome.sentence
    deployment.advice = outcome.advice
    deployment.ended_at = now()
    deployment.lease_token = None
    db.session.flush()
    if outcome.status == DeploymentStatus.FAILED and not was_final:
        tell_of_failure(deployment)
    for waiting in queries.active_deployments(deployment.environment_id):
        if waiting.status == DeploymentStatus.QUEUED:
            enqueue_run(waiting.id)
