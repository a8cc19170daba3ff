"""What workers are asked to do. Each job takes numbers and looks everything else up."""

from __future__ import annotations

from app.accounts.models import User
from app.adapters.job_queue import Queue
from app.deployments import cleanup, cut_off_builds, operations, queries, reconcile
from app.deployments.pipeline import runner
from app.environments.models import Environment
from app.environments.queries import list_tracking
from app.errors import Invalid
from app.extensions import db
from app.installation import installation
from app.jobs.queueing import enqueue
from app.repositories.queries import find_tracked_branch
from app.signals import repository_pushed
from app.transactions import unit_of_work

CLEAN_UP_JOB = "app.deployments.jobs.clean_up"
DEPLOY_PUSHED_JOB = "app.deployments.jobs.deploy_pushed"


def run(deployment_id: int) -> None:
    """Run a deployment, then look for images its environment does not need any more."""
    runner.run(deployment_id)
    enqueue(Queue.OPERATIONS, CLEAN_UP_JOB, key=f"clean-up-after-{deployment_id}")


def recover(deployment_id: int) -> None:
    """End a deployment whose worker was lost."""
    runner.recover(deployment_id)
    enqueue(Queue.OPERATIONS, CLEAN_UP_JOB, key=f"clean-up-after-{deployment_id}")


def reconcile_region() -> None:
    """Compare what should run with what runs."""
    reconcile.reconcile(installation())


def clean_up() -> None:
    """Remove images no environment needs, and what builds left that were cut off."""
    cut_off_builds.sweep_cut_off_builds(installation())
    cleanup.remove_old_images(installation())


def deploy_pushed(environment_id: int) -> None:
    """Deploy an environment that wants it after a push, if something waits there."""
    with unit_of_work():
        environment = db.session.get(Environment, environment_id)
        if environment is None or environment.is_trashed or not environment.is_deployed_on_push:
            return
        tracked = find_tracked_branch(environment.id)
        if tracked is None or tracked.head is None:
            return
        # Not the newest of any kind: who rolls back does not want the tip deployed at once.
        if queries.newest_deployed_commit(environment.id) == tracked.head:
            return
        try:
            pusher = db.session.get(User, tracked.pushed_by_id) if tracked.pushed_by_id else None
            store = installation().adapters.repositories
            operations.request_deployment(environment, store, pusher)
        except Invalid:
            # The branch was deleted between the push and now: there is nothing to deploy.
            return


def _enqueue_pushed(sender: object, application_id: int, branches: list[str]) -> None:
    for environment in list_tracking(application_id, branches):
        tracked = find_tracked_branch(environment.id)
        if environment.is_deployed_on_push and tracked and tracked.head:
            key = f"pushed-{environment.id}-{tracked.head[:12]}"
            enqueue(Queue.DEPLOYMENTS, DEPLOY_PUSHED_JOB, environment.id, key=key)


repository_pushed.connect(_enqueue_pushed)
