"""The queue in Redis, by RQ."""

from __future__ import annotations

import datetime

import redis
import rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from app.adapters.job_queue import Backlog, Queue
from app.errors import Unavailable

JOB_SECONDS = 3 * 60 * 60
"""Longer than any pipeline: a build and release commands have their own limits of 30 min each."""
ANSWER_SECONDS = 2


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
            raise Unavailable("The job queue does not answer. Try again in a moment.") from error
        return True

    def backlog(self) -> list[Backlog]:
        try:
            return [self._backlog(name) for name in Queue]
        except RedisError as error:
            raise Unavailable("The job queue does not answer. Try again in a moment.") from error

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
