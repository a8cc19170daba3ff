"""Handing work to another process. `redis.py` uses RQ; `fake.py` keeps what it was given.

Called after a commit by rooms, and by the scheduler. A job carries numbers and names only: no
object, no secret.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Queue(StrEnum):
    """Which worker a job waits for; deployments go before housekeeping."""

    DEPLOYMENTS = "deployments"
    OPERATIONS = "operations"


class JobQueue(Protocol):
    """A queue that survives its own restart or may lose jobs: the database knows what is due."""

    def enqueue(self, queue: Queue, function: str, *arguments: int | str, key: str) -> bool:
        """Have `function` (an import path) called by a worker.

        A job of the same `key` that still waits or runs is not added twice: then the answer is
        False. Raises `Unavailable` when the queue does not answer.
        """
        ...
