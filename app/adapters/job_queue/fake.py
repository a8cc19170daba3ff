"""A queue that keeps what it was given, for tests to look at; questions it answers at once."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

from app.adapters.job_queue import Backlog, Queue
from app.errors import Unavailable


class FakeJobQueue:
    """Remembers jobs as (function, arguments). `is_down` makes it refuse."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, tuple[int | str, ...]]] = []
        self.keys: set[str] = set()
        self.is_down = False

    def enqueue(self, queue: Queue, function: str, *arguments: int | str, key: str) -> bool:
        if self.is_down:
            raise Unavailable("The job queue does not answer.")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", key):  # as RQ has it
            raise ValueError(f"{key} is no key for a job")
        if key in self.keys:
            return False
        self.keys.add(key)
        self.jobs.append((function, arguments))
        return True

    def ask(self, function: str, *arguments: Any, timeout: float) -> Any:
        """Calls the function here. What goes in and out is made JSON of, as Redis would have it."""
        if self.is_down:
            raise Unavailable("The job queue does not answer.")
        module, _, name = function.rpartition(".")
        answer = getattr(importlib.import_module(module), name)
        return json.loads(json.dumps(answer(*json.loads(json.dumps(arguments)))))

    def is_attended(self, queue: Queue) -> bool:
        if self.is_down:
            raise Unavailable("The job queue does not answer.")
        return queue == Queue.ADDONS

    def backlog(self) -> list[Backlog]:
        if self.is_down:
            raise Unavailable("The job queue does not answer.")
        jobs = {Queue.DEPLOYMENTS: 0, Queue.OPERATIONS: len(self.jobs), Queue.ADDONS: 0}
        return [Backlog(queue, count, 0, None) for queue, count in jobs.items()]
