"""`python -m app.processes.asker`: asks addons, and does nothing else.

It takes from the queue `addons` and hands each question to the sandbox. It knows no database and no
key, and its user reaches the queue and the uploaded archives only. Each of its threads waits for
one sandbox at a time, so that a package that hangs keeps nobody else's question waiting.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import FrameType

import redis
import rq
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from app.adapters.job_queue import Queue
from app.adapters.job_queue.redis import RedisJobQueue
from app.adapters.sandbox import SandboxLimits
from app.adapters.sandbox.asking import ASK_SECONDS, sandbox
from app.config import Settings
from app.errors import Unavailable

logger = logging.getLogger(__name__)

THREADS = 4
"""Questions asked at once; each may use one processor for `SandboxLimits.cpu_seconds`."""
REPORT_SECONDS = 5.0
STOP_SECONDS = SandboxLimits().wall_seconds
STUCK_SECONDS = 3 * ASK_SECONDS
"""No sandbox takes this long: a thread that does is lost, and only a new process brings it back."""


class Asker(rq.SimpleWorker):
    """One of several in this process: no signals, which belong to the main thread, and no ear
    for commands, which nobody sends."""

    death_penalty_class = TimerDeathPenalty
    max_connection_wait_time = 2.0

    def __init__(self, queue: RedisJobQueue) -> None:
        super().__init__(
            [Queue.ADDONS.value],
            connection=queue.connection,
            serializer=JSONSerializer,
            worker_ttl=30,
            log_job_description=False,
        )
        self.busy_since: float | None = None

    def _install_signal_handlers(self) -> None:
        """The process has its own."""

    def subscribe(self) -> None:
        """A thread and a connection less."""

    def execute_job(self, job: rq.job.Job, queue: rq.Queue) -> None:
        self.busy_since = time.monotonic()
        try:
            super().execute_job(job, queue)
        finally:
            self.busy_since = None

    def stop(self) -> None:
        """Take no other question."""
        self._stop_requested = True

    def leave(self) -> None:
        """Have Redis forget this one."""
        super().register_death()  # type: ignore[no-untyped-call]


class Asking:
    """The threads, and what the main one does beside them."""

    def __init__(self, queue: RedisJobQueue) -> None:
        self._queue = queue
        self._askers = [Asker(queue) for _ in range(THREADS)]
        self._threads = [
            threading.Thread(target=one.work, kwargs={"logging_level": "WARNING"}, daemon=True)
            for one in self._askers
        ]
        self._complaint = ""

    def start(self) -> None:
        """Take questions from now on."""
        for thread in self._threads:
            thread.start()

    def report(self) -> None:
        """Say that questions are taken, unless none could be answered."""
        try:
            sandbox()
            self._queue.attend(Queue.ADDONS)
            self._complaint = ""
        except Unavailable as error:
            if self._complaint != error.sentence:
                logger.warning("%s", error.sentence)
            self._complaint = error.sentence

    def is_whole(self) -> bool:
        """Whether every thread still does its work."""
        long_ago = time.monotonic() - STUCK_SECONDS
        are_moving = all((one.busy_since or long_ago) >= long_ago for one in self._askers)
        return are_moving and all(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float) -> None:
        """Take no other question, and wait that long for those under way."""
        for one in self._askers:
            one.stop()
        until = time.monotonic() + seconds
        while any(one.busy_since for one in self._askers) and time.monotonic() < until:
            time.sleep(0.05)
        try:
            for one in self._askers:
                one.leave()
        except redis.exceptions.RedisError:
            logger.warning("the queue is gone already")


def main() -> int:
    """Ask until SIGTERM; 1 when a new process must take over."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        asking = Asking(RedisJobQueue(Settings.read().redis_url))
    except redis.exceptions.RedisError as error:
        logger.warning("the queue does not answer: %s", error)
        return 1
    asking.start()
    while True:
        asking.report()
        if stop.wait(REPORT_SECONDS):
            asking.stop(STOP_SECONDS)
            return 0
        if not asking.is_whole():
            logger.error("a question is stuck, or a thread has ended")
            return 1


if __name__ == "__main__":
    sys.exit(main())
