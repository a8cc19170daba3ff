"""The queue in Redis, by RQ."""

from __future__ import annotations

import redis
import rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from app.adapters.job_queue import Queue
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
