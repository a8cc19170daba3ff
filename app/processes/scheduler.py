"""Enqueues what is due: lost jobs, waiting deployments, reconciliation. Does none of it itself."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from app.adapters.job_queue import Queue
from app.background import create_background_app
from app.deployments import queries
from app.deployments.operations import RUN_JOB
from app.extensions import db
from app.installation import installation
from app.jobs.queueing import enqueue
from app.mails.operations import DELIVER_JOB
from app.mails.queries import list_due
from app.platform_status.operations import report_alive
from app.repositories.queries import list_pushed_environments
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

RECOVER_JOB = "app.deployments.jobs.recover"
RECONCILE_JOB = "app.deployments.jobs.reconcile_region"
DEPLOY_PUSHED_JOB = "app.deployments.jobs.deploy_pushed"


def enqueue_what_is_due() -> None:
    """One round. A job's key holds the moment it stands for, so that one that was lost with its
    worker or with the queue is enqueued again, and one that waits is not enqueued twice."""
    times = installation().settings.times
    # One heartbeat early: the recovery first gives the worker the time to write one more.
    for deployment in queries.lost_deployments(times.lease - times.heartbeat):
        beat = int(deployment.heartbeat_at.timestamp()) if deployment.heartbeat_at else 0
        key = f"recover-{deployment.id}-{beat}-{_period(times.lease)}"
        enqueue(Queue.DEPLOYMENTS, RECOVER_JOB, deployment.id, key=key)
    for deployment in queries.startable_deployments():
        key = f"deployment-{deployment.id}-{_period(times.lease)}"
        enqueue(Queue.DEPLOYMENTS, RUN_JOB, deployment.id, key=key)
    for environment_id in list_pushed_environments():
        key = f"pushed-{environment_id}-{_period(times.lease)}"
        enqueue(Queue.DEPLOYMENTS, DEPLOY_PUSHED_JOB, environment_id, key=key)
    for mail in list_due():
        enqueue(Queue.OPERATIONS, DELIVER_JOB, mail.id, key=f"mail-{mail.id}-{mail.attempts}")
    with unit_of_work():
        report_alive("scheduler")
    enqueue(Queue.OPERATIONS, RECONCILE_JOB, key=f"reconcile-{_period(times.reconcile)}")


def _period(seconds: float) -> int:
    """The number of the present stretch of `seconds`: changes once in each."""
    return int(time.time() // seconds)


def main() -> None:
    """Look every few seconds until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    app = create_background_app()
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with app.app_context():
        while not stop.wait(installation().settings.times.scheduler):
            try:
                enqueue_what_is_due()
            except SQLAlchemyError:
                logger.warning("the database does not answer; looking again soon")
            finally:
                db.session.remove()


if __name__ == "__main__":
    main()
