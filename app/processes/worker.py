"""The workers: RQ's pool of them, one forked child a job, so that a job's memory goes with it.

The pool loads everything once and forks: two workers then hold little more than one.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
from typing import Any

import rq
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from app.adapters.job_queue import Queue
from app.adapters.job_queue.redis import RedisJobQueue
from app.background import RealAdapters, create_background_app
from app.config import Settings
from app.extensions import db, rehearse
from app.platform_status.operations import Reporter

WORKERS = 2
_PR_SET_PDEATHSIG = 1  # prctl(2)


class PanelWorker(rq.Worker):
    """Gives every job an app context, and connections that no other process shares."""

    def work(self, *arguments: Any, **options: Any) -> bool:
        """Work until the pool says stop, or is gone. RQ's own scheduler is not ours: none runs."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        own = {"with_scheduler": False, "logging_level": "WARNING"}
        return bool(super().work(*arguments, **{**options, **own}))

    def main_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)


class PanelPool(WorkerPool):
    """Notes that it has workers, each few seconds, from between its looks at them."""

    report: Reporter

    def check_workers(self, respawn: bool = True) -> None:
        super().check_workers(respawn)
        if self.worker_dict and self.report():
            # It forks: a worker must not inherit a connection that is in use here.
            db.engine.dispose()


def main() -> None:
    """Work until SIGTERM; jobs under way are finished first."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    settings = Settings.read()
    adapters = RealAdapters(settings)
    adapters.load()
    app = create_background_app(settings, adapters)
    queue = RedisJobQueue(settings.redis_url)
    pool = PanelPool(
        [item.value for item in queues()],
        connection=queue.connection,
        num_workers=WORKERS,
        worker_class=PanelWorker,
        serializer=JSONSerializer,
    )
    pool.report = Reporter("worker")
    with app.app_context():
        rehearse()
        gc.collect()
        gc.freeze()  # the collector does not write into what the children share
        pool.start(logging_level="WARNING")


def queues() -> list[Queue]:
    """Which queues this worker takes from, in order: `MOONBASE_QUEUES`, or all but the asker's,
    which it never does: what answers there has neither keys nor a database."""
    named = os.environ.get("MOONBASE_QUEUES", "")
    chosen = [Queue(name) for name in named.split(",") if name] or list(Queue)
    return [queue for queue in chosen if queue != Queue.ADDONS]
