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
from app.backups import due as backups
from app.cron.clock import Clock
from app.deployments import queries
from app.deployments.operations import RUN_JOB
from app.errors import Conflict
from app.extensions import db, now
from app.installation import installation
from app.jobs.queueing import enqueue
from app.lifecycle.queries import list_due as list_due_entries
from app.lifecycle.queries import list_due_domains, list_unmeasured
from app.lifecycle.trash import DELETE_DOMAIN_JOB, DELETE_JOB
from app.lifecycle.trash import MEASURE_JOB as MEASURE_ENTRY_JOB
from app.mails.operations import DELIVER_JOB, FORGET_JOB
from app.mails.queries import list_due
from app.platform_status.jobs import MEASURE_JOB, report_asker, report_queues
from app.platform_status.operations import Reporter
from app.services.jobs import KEEP_JOB as KEEP_SERVICES_JOB
from app.services.jobs import MEASURE_JOB as MEASURE_SERVICES_JOB
from app.services.models import ServiceState
from app.services.operations import PROVISION_JOB
from app.services.operations import REMOVE_JOB as REMOVE_SERVICE_JOB
from app.services.queries import list_due_instances, list_unfinished
from app.workers.operations import RESTART_JOB
from app.workers.queries import list_forgotten_restarts

logger = logging.getLogger(__name__)

RECOVER_JOB = "app.deployments.jobs.recover"
RECONCILE_JOB = "app.deployments.jobs.reconcile_region"
DEPLOY_PUSHED_JOB = "app.deployments.jobs.deploy_pushed"


DAY = 24 * 3600
KEEP_SECONDS = 30
"""How often servers of services are looked after."""
MEASURE_SECONDS = 10 * 60
"""How often the disk is measured: a walk over all repositories and logs."""


class Recurring:
    """Jobs that are due once in each stretch of time. The queue forgets a job when it is done, so
    it is remembered here for which stretch each was enqueued last; one that is lost with the queue
    is due again in the next."""

    def __init__(self) -> None:
        self._enqueued: dict[str, int] = {}

    def enqueue(self, function: str, seconds: float) -> None:
        """Enqueue `function`, unless it was in this stretch of `seconds`."""
        stretch = _period(seconds)
        if self._enqueued.get(function) != stretch:
            key = f"{function.rpartition('.')[2]}-{stretch}"  # RQ allows no dot in it
            enqueue(Queue.OPERATIONS, function, key=key)
            self._enqueued[function] = stretch


def enqueue_what_is_due(recurring: Recurring) -> None:
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
    for environment_id in queries.list_pushed_environments():
        key = f"pushed-{environment_id}-{_period(times.lease)}"
        enqueue(Queue.DEPLOYMENTS, DEPLOY_PUSHED_JOB, environment_id, key=key)
    for mail in list_due():
        key = f"mail-{mail.id}-{mail.attempts}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, DELIVER_JOB, mail.id, key=key)
    for entry in db.session.scalars(list_due_entries(times.trash)):
        key = f"delete-{entry.uuid}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, DELETE_JOB, entry.id, key=key)
    for entry in list_unmeasured():
        key = f"measure-{entry.uuid}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, MEASURE_ENTRY_JOB, entry.id, key=key)
    for domain_id in db.session.scalars(list_due_domains(times.trash)):
        key = f"delete-domain-{domain_id}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, DELETE_DOMAIN_JOB, domain_id, key=key)
    for instance in list_unfinished(times.lease):
        is_doomed = instance.state == ServiceState.REMOVING
        job = REMOVE_SERVICE_JOB if is_doomed else PROVISION_JOB
        beat = int(instance.heartbeat_at.timestamp()) if instance.heartbeat_at else 0
        key = f"{instance.state}-{instance.id}-{beat}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, job, instance.id, key=key)
    for number in db.session.scalars(list_due_instances(times.trash)):
        key = f"remove-service-{number}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, REMOVE_SERVICE_JOB, number, key=key)
    recurring.enqueue(KEEP_SERVICES_JOB, KEEP_SECONDS)
    for environment_id in list_forgotten_restarts(times.lease):
        key = f"restart-{environment_id}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, RESTART_JOB, environment_id, key=key)
    for item in backups.list_due_work():
        key = f"{item.key}-{_period(times.lease)}"
        enqueue(Queue.OPERATIONS, item.function, item.number, key=key)
    recurring.enqueue(backups.TAKE_DUE_JOB, backups.TAKE_DUE_SECONDS)
    recurring.enqueue(backups.TIDY_JOB, backups.TIDY_SECONDS)
    recurring.enqueue(RECONCILE_JOB, times.reconcile)
    recurring.enqueue(MEASURE_SERVICES_JOB, MEASURE_SECONDS)
    recurring.enqueue(MEASURE_JOB, MEASURE_SECONDS)
    recurring.enqueue(FORGET_JOB, DAY)


def note_due_cron_jobs(clock: Clock) -> None:
    """Write down which cron jobs are due, once in each minute; the process `cron` runs them."""
    moment = now()
    if clock.is_due(moment):
        try:
            clock.look(moment)
        except Conflict as error:  # another scheduler, for a moment
            logger.warning("cron is looked at again soon: %s", error.sentence)


def _pause() -> float:
    """Seconds until the next look: a few, and one at the beginning of each minute."""
    until_the_minute = 60 - time.time() % 60
    return min(installation().settings.times.scheduler, until_the_minute + 0.01)


def _period(seconds: float) -> int:
    """The number of the present stretch of `seconds`: changes once in each."""
    return int(time.time() // seconds)


def main() -> None:
    """Look every few seconds until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    app = create_background_app()
    stop = threading.Event()
    alive, queues, asker = Reporter("scheduler"), Reporter("queue"), Reporter("asker")
    recurring, clock = Recurring(), Clock()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with app.app_context():
        while not stop.wait(_pause()):
            try:
                note_due_cron_jobs(clock)
                enqueue_what_is_due(recurring)
                alive()
                report_queues(queues)
                report_asker(asker)
            except SQLAlchemyError:
                logger.warning("the database does not answer; looking again soon")
            finally:
                db.session.remove()


if __name__ == "__main__":
    main()
