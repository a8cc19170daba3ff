"""Questions to addons, over a real Redis and a real asker; the fake answers the same."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.adapters.job_queue import JobQueue, Queue
from app.adapters.job_queue.fake import FakeJobQueue
from app.adapters.job_queue.redis import RedisJobQueue
from app.adapters.sandbox import Question, Reason, SandboxFailed, Topic
from app.adapters.sandbox.asking import ask
from app.errors import Unavailable
from app.processes.worker import queues
from tests.contracts.asker_fixtures import (
    FORM,
    HANGING,
    ROOT,
    Asking,
    is_alive,
    running_redis,
    sandboxes_of,
    wait_until,
)

MEMORY_MB = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Asking]:
    with running_redis() as asking:
        yield asking


@pytest.fixture
def asked(server: Asking) -> Asking:
    """With an asker that runs."""
    if server.process is None:
        server.start()
    return server


@pytest.fixture(params=["fake", "redis"])
def queue(request: pytest.FixtureRequest) -> JobQueue:
    if request.param == "fake":
        return FakeJobQueue()
    asking: Asking = request.getfixturevalue("asked")
    return asking.queue()


def validate(queue: JobQueue, **settings: Any) -> Any:
    return ask(queue, Question(Topic.VALIDATE, "aldryn", FORM, {"settings": settings}))


def test_an_answer_comes_back(queue: JobQueue) -> None:
    assert validate(queue, title="Hello", count="3")["settings"] == {"title": "Hello", "count": 3}
    assert queue.is_attended(Queue.ADDONS)


def test_what_fails_comes_back_as_what_it_is(queue: JobQueue) -> None:
    with pytest.raises(SandboxFailed) as failed:
        ask(queue, Question(Topic.DESCRIBE, "aldryn", "1 / 0"))
    assert failed.value.reason == Reason.RAISED
    assert "ZeroDivisionError" in failed.value.detail
    assert "aldryn_config.py" in failed.value.sentence


def test_many_at_once_get_their_own_answers(asked: Asking) -> None:
    """More than are asked at once."""
    queue = asked.queue()
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda number: validate(queue, title=f"T{number}"), range(24)))
    assert [row["settings"]["title"] for row in answers] == [f"T{number}" for number in range(24)]


def test_nothing_is_left_of_a_question(asked: Asking) -> None:
    queue = asked.queue()
    validate(queue, title="kept for nobody")
    wait_until(lambda: not jobs_left(queue), 2)


def jobs_left(queue: RedisJobQueue) -> list[bytes]:
    names = ("job", "results", "executions", "wip", "failed", "finished")
    found = [key for name in names for key in queue.connection.keys(f"rq:{name}:*")]
    return [*found, *queue.connection.lrange("rq:queue:addons", 0, -1)]


def test_hanging_packages_keep_nobody_waiting(asked: Asking) -> None:
    queue = asked.queue()
    assert asked.process
    ends: list[type[Exception]] = []

    def hang_too() -> None:
        try:
            ask(queue, Question(Topic.DESCRIBE, "aldryn", HANGING), timeout=4)
        except (SandboxFailed, Unavailable) as error:
            ends.append(type(error))

    hanging = [threading.Thread(target=hang_too, daemon=True) for _ in range(12)]
    for thread in hanging:
        thread.start()
    wait_until(lambda: len(sandboxes_of(asked.process.pid)) >= 4)
    began = time.monotonic()
    assert validate(queue, title="quick")["settings"]
    assert time.monotonic() - began < 2.5
    for thread in hanging:
        thread.join(10)
    # Two take their time; the others hear at once why they have to wait.
    assert sorted(ends, key=str) == sorted([SandboxFailed] * 10 + [Unavailable] * 2, key=str)
    asked.stop()  # nobody waits for them


def hang(queue: RedisJobQueue) -> None:
    with pytest.raises(Unavailable):
        ask(queue, Question(Topic.DESCRIBE, "aldryn", HANGING), timeout=3)


def test_a_killed_asker_leaves_no_sandbox_behind(asked: Asking) -> None:
    queue = asked.queue()
    assert asked.process
    asking = threading.Thread(target=hang, args=(queue,), daemon=True)
    asking.start()
    wait_until(lambda: len(sandboxes_of(asked.process.pid)) >= 2)
    left = sandboxes_of(asked.process.pid)
    asked.process.kill()
    asked.process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in left), 2)
    asking.join(10)
    assert not asking.is_alive()
    assert not jobs_left(queue)
    asked.stop()
    asked.start()
    assert validate(queue, title="again")["settings"] == {"title": "again", "count": None}


def test_a_question_given_to_the_dead_is_asked_again(server: Asking) -> None:
    """Redis may give it to an asker that is killed at that moment, and nobody else hears of it."""
    server.stop()
    queue, answers = server.queue(), list[dict[str, Any]]()
    asking = threading.Thread(target=lambda: answers.append(validate(queue, title="heard")))
    asking.start()
    given = queue.queue(Queue.ADDONS).key
    wait_until(lambda: queue.connection.lpop(given))
    server.start()
    asking.join(10)
    assert [answer["settings"]["title"] for answer in answers] == ["heard"]
    server.stop()


def test_nobody_asks(server: Asking) -> None:
    server.stop()
    queue = server.queue()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="within 1 s"):
        ask(queue, Question(Topic.DESCRIBE, "aldryn", FORM), timeout=1)
    assert time.monotonic() - began < 3
    assert not jobs_left(queue)
    assert not queue.is_attended(Queue.ADDONS)
    queue.attend(Queue.ADDONS, seconds=0.05)
    assert queue.is_attended(Queue.ADDONS)
    wait_until(lambda: not queue.is_attended(Queue.ADDONS), 1)


def test_no_queue_at_all(tmp_path: Path) -> None:
    gone, down = RedisJobQueue(f"unix://{tmp_path}/redis.sock"), FakeJobQueue()
    down.is_down = True
    for queue in (gone, down):
        with pytest.raises(Unavailable, match="job queue does not answer"):
            ask(queue, Question(Topic.DESCRIBE, "aldryn", FORM), timeout=1)
        with pytest.raises(Unavailable):
            queue.is_attended(Queue.ADDONS)


def test_a_mistake_of_ours_is_no_traceback_for_people(asked: Asking) -> None:
    with pytest.raises(Unavailable, match="cannot be asked at the moment"):
        asked.queue().ask("app.adapters.sandbox.asking.answer", {"topic": "sing"}, timeout=5)


@pytest.mark.parametrize("named", ["", "addons,operations"])
def test_no_worker_takes_questions(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("MOONBASE_QUEUES", named)
    assert Queue.ADDONS not in queues()
    assert Queue.OPERATIONS in queues()


def test_the_asker_knows_neither_pages_nor_database_nor_keys() -> None:
    code = (
        "import app.processes.asker, app.adapters.sandbox.choosing, sys\n"
        "print(*sorted(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    foreign = {"flask", "werkzeug", "sqlalchemy", "docker", "git", "app.extensions", "app.keyrings"}
    assert "rq" in loaded and not loaded & foreign


def test_the_asker_is_small(asked: Asking) -> None:
    assert asked.process
    rollup = Path(f"/proc/{asked.process.pid}/smaps_rollup").read_text()
    own = re.search(r"^Pss_Anon:\s+(\d+) kB", rollup, re.MULTILINE)
    assert own and int(own[1]) / 1024 < MEMORY_MB
