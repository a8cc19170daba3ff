"""Enqueueing: every room does it here, after its commit."""

from __future__ import annotations

import logging

from app.adapters.job_queue import Queue
from app.errors import Unavailable
from app.installation import installation
from app.transactions import after_commit

logger = logging.getLogger(__name__)


def enqueue(queue: Queue, function: str, *arguments: int | str, key: str) -> bool:
    """Enqueue now. A queue that does not answer is no error here: the rows say what is due, and
    the scheduler enqueues it again. Returns whether the job is new and waiting."""
    try:
        return installation().adapters.job_queue.enqueue(queue, function, *arguments, key=key)
    except Unavailable:
        logger.warning("the job queue is down; %s waits for the scheduler", key)
        return False


def enqueue_after_commit(queue: Queue, function: str, *arguments: int | str, key: str) -> None:
    """`enqueue`, when the present unit of work is safe."""
    after_commit(lambda: enqueue(queue, function, *arguments, key=key))
