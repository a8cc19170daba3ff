"""Handing work to another process. `redis.py` uses RQ; `fake.py` keeps what it was given.

Called after a commit by rooms, and by the scheduler. A job carries numbers and names only: no
object, no secret.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Queue(StrEnum):
    """Which worker a job waits for; deployments go before housekeeping."""

    DEPLOYMENTS = "deployments"
    OPERATIONS = "operations"


@dataclass(frozen=True)
class Backlog:
    """What lies in one queue: jobs that wait, jobs that broke within a day, and since when the
    first one waits."""

    queue: Queue
    waiting: int
    failed: int
    oldest_at: datetime.datetime | None


class JobQueue(Protocol):
    """A queue that survives its own restart or may lose jobs: the database knows what is due."""

    def enqueue(self, queue: Queue, function: str, *arguments: int | str, key: str) -> bool:
        """Have `function` (an import path) called by a worker.

        A job of the same `key` that still waits or runs is not added twice: then the answer is
        False. Raises `Unavailable` when the queue does not answer.
        """
        ...

    def backlog(self) -> list[Backlog]:
        """How all queues stand. Raises `Unavailable` when they do not answer."""
        ...
