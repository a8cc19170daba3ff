"""The queue in Redis, by RQ."""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from typing import Any

import redis
import rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer

from app.adapters.job_queue import Backlog, Queue
from app.errors import Unavailable

logger = logging.getLogger(__name__)

JOB_SECONDS = 3 * 60 * 60
"""Longer than any pipeline: a build and release commands have their own limits of 30 min each."""
ANSWER_SECONDS = 2
WAIT_SECONDS = 1
"""How long one look at an answer's stream lasts: less than a connection may be silent for."""
RESULT_SECONDS = 5
ATTENDED_SECONDS = 20
DOWN = "The job queue does not answer. Try again in a moment."


class RedisJobQueue:
    """RQ with JSON instead of pickle, so that a job cannot carry an object.

    `answer_seconds` None waits for ever, as a worker does for its next job.
    """

    def __init__(self, url: str, answer_seconds: float | None = ANSWER_SECONDS) -> None:
        self.connection = redis.Redis.from_url(
            url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=answer_seconds
        )

    def queue(self, name: Queue) -> rq.Queue:
        return rq.Queue(name.value, connection=self.connection, serializer=JSONSerializer)

    def enqueue(self, queue: Queue, function: str, *arguments: int | str, key: str) -> bool:
        try:
            self.queue(queue).enqueue(
                function,
                args=arguments,
                job_id=key,
                unique=True,
                job_timeout=JOB_SECONDS,
                result_ttl=0,
                failure_ttl=24 * 60 * 60,
            )
        except DuplicateJobError:
            return False
        except RedisError as error:
            raise Unavailable(DOWN) from error
        return True

    def ask(self, function: str, *arguments: Any, timeout: float) -> Any:
        until = time.monotonic() + timeout
        queue = self.queue(Queue.ADDONS)
        try:
            job = queue.enqueue(
                function,
                args=arguments,
                description=function,  # RQ writes it to logs; the arguments are somebody's code
                job_timeout=-1,  # the sandbox keeps time
                ttl=int(timeout) + 5,  # of a question whose asker died too
                result_ttl=RESULT_SECONDS,
                failure_ttl=RESULT_SECONDS,
            )
            try:
                result = None
                while result is None and time.monotonic() < until:
                    result = job.latest_result(timeout=WAIT_SECONDS)
                    if result is None and _is_lost(queue, job):
                        queue.push_job_id(job.id)  # asked twice, a question does no harm
            finally:
                with contextlib.suppress(InvalidJobOperation):  # gone with a restarted Redis
                    job.delete()
        except RedisError as error:
            raise Unavailable(DOWN) from error
        if result is None:
            raise Unavailable(
                f"Addons could not be asked within {timeout:g} s. Try again in a moment."
            )
        if result.type != Result.Type.SUCCESSFUL:
            logger.error("%s broke: %s", function, result.exc_string)
            raise Unavailable("Addons cannot be asked at the moment. Try again later.")
        return result.return_value

    def attend(self, queue: Queue, seconds: float = ATTENDED_SECONDS) -> None:
        """Say that somebody takes from `queue`, for the next `seconds`. Raises `Unavailable`."""
        try:
            self.connection.set(_attended(queue), "1", px=int(seconds * 1000))
        except RedisError as error:
            raise Unavailable(DOWN) from error

    def is_attended(self, queue: Queue) -> bool:
        try:
            return bool(self.connection.exists(_attended(queue)))
        except RedisError as error:
            raise Unavailable(DOWN) from error

    def backlog(self) -> list[Backlog]:
        try:
            return [self._backlog(name) for name in Queue]
        except RedisError as error:
            raise Unavailable(DOWN) from error

    def _backlog(self, name: Queue) -> Backlog:
        queue = self.queue(name)
        failed = FailedJobRegistry(queue=queue).get_job_count(cleanup=False)
        return Backlog(name, queue.count, failed, self._enqueued_at(queue))

    def _enqueued_at(self, queue: rq.Queue) -> datetime.datetime | None:
        """When the first job was added; it may be taken, and gone, at this very moment."""
        for key in queue.get_job_ids(0, 1):
            try:
                job = Job.fetch(key, connection=self.connection, serializer=JSONSerializer)
            except NoSuchJobError:
                return None
            at = job.enqueued_at
            return at.replace(tzinfo=datetime.UTC) if at and at.tzinfo is None else at
        return None


def _is_lost(queue: rq.Queue, job: Job) -> bool:
    """Whether Redis gave it to a process that was killed at that moment: nobody took it up."""
    is_waiting = job.get_status(refresh=True) == JobStatus.QUEUED
    return is_waiting and queue.get_job_position(job) is None


def _attended(queue: Queue) -> str:
    return f"moonbase:attended:{queue.value}"
