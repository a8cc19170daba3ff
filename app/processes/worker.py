"""One worker of the pool: RQ, one forked child a job, so that a job's memory goes with it."""

from __future__ import annotations

import logging
import os

import rq
from rq.serializers import JSONSerializer

from app.adapters.job_queue import Queue
from app.adapters.job_queue.redis import RedisJobQueue
from app.background import create_background_app
from app.extensions import db
from app.installation import EXTENSION, Installation


class PanelWorker(rq.Worker):
    """Gives every job an app context, and connections that no other process shares."""

    def main_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)


def main() -> None:
    """Work until SIGTERM; a job under way is finished first."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    app = create_background_app()
    here: Installation = app.extensions[EXTENSION]
    queue = RedisJobQueue(here.settings.redis_url)
    with app.app_context():
        worker = PanelWorker(
            [item.value for item in queues()],
            connection=queue.connection,
            serializer=JSONSerializer,
        )
        worker.work(logging_level="WARNING")


def queues() -> list[Queue]:
    """Which queues this worker takes from, in order: `MOONBASE_QUEUES`, or all."""
    named = os.environ.get("MOONBASE_QUEUES", "")
    return [Queue(name) for name in named.split(",") if name] or list(Queue)
