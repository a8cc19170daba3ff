"""Handing work to another process. `redis.py` uses RQ; `fake.py` keeps what it was given.

Called after a commit by rooms, and by the scheduler. A job carries numbers and names only: no
object, no secret. A question to an addon is a job too, the only one somebody waits for.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Queue(StrEnum):
    """Which worker a job waits for; deployments go before housekeeping."""

    DEPLOYMENTS = "deployments"
    OPERATIONS = "operations"
    ADDONS = "addons"
    """Questions to addons: the process `asker` alone takes them, and takes nothing else."""


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

    def ask(self, function: str, *arguments: Any, timeout: float) -> Any:
        """Have `function` called by the asker, and wait for what it returns; all of it is JSON.

        Raises `Unavailable` when there is no answer within `timeout` seconds: then the question
        is dropped, also when nobody has taken it yet.
        """
        ...

    def is_attended(self, queue: Queue) -> bool:
        """Whether somebody said within a few seconds that it takes from `queue`; only the asker
        does. Raises `Unavailable` when the queue does not answer."""
        ...

    def backlog(self) -> list[Backlog]:
        """How all queues stand. Raises `Unavailable` when they do not answer."""
        ...
