"""Questions on their way to the process `asker`, and answers on their way back.

`ask` is for whoever has a question, `answer` is the job that the asker runs. Nothing here loads
Flask or the database: the asker has neither.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.adapters.job_queue import JobQueue
from app.adapters.sandbox import Question, Reason, Sandbox, SandboxFailed, SandboxLimits, Topic
from app.adapters.sandbox.turns import Turns
from app.config import Settings
from app.errors import Unavailable

ANSWER_JOB = "app.adapters.sandbox.asking.answer"
WAIT_SECONDS = 12.0
"""How long a question may wait for others before its own time begins."""
ASK_SECONDS = SandboxLimits().wall_seconds + WAIT_SECONDS
TURNS = Turns()
"""Of this process."""


def ask(job_queue: JobQueue, question: Question, timeout: float = ASK_SECONDS) -> Any:
    """The package's answer, not looked at yet.

    Raises `SandboxFailed` when the package could not answer, and `Unavailable` when nobody could
    ask it within `timeout` seconds.
    """
    packed = {
        "topic": question.topic.value,
        "kind": question.kind,
        "source": question.source,
        "payload": question.payload,
        "archive": str(question.archive) if question.archive else None,
    }
    found = job_queue.ask(ANSWER_JOB, packed, timeout=timeout)
    if "failed" in found:
        failed = found["failed"]
        raise SandboxFailed(Reason(failed["reason"]), failed["sentence"], failed["detail"])
    if "unavailable" in found:
        raise Unavailable(found["unavailable"], retry=False)
    return found["answer"]


def answer(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Have the sandbox asked. What comes back is one of `answer`, `failed`, `unavailable`."""
    archive = packed["archive"]
    question = Question(
        topic=Topic(packed["topic"]),
        kind=packed["kind"],
        source=packed["source"],
        payload=packed["payload"],
        archive=Path(archive) if archive else None,
    )
    try:
        with TURNS.take(_whose(question)) as is_their_turn:
            if not is_their_turn:
                raise _busy(question)
            return {"answer": dict(sandbox().ask(question))}
    except SandboxFailed as failed:
        parts = {"reason": failed.reason.value, "sentence": failed.sentence}
        return {"failed": {**parts, "detail": failed.detail}}
    except Unavailable as error:
        return {"unavailable": error.sentence}


def _whose(question: Question) -> str:
    """What counts as one: a package by its code, and all archives and READMEs together."""
    return hashlib.sha256(question.source.encode()).hexdigest() if question.source else ""


def _busy(question: Question) -> SandboxFailed | Unavailable:
    if question.source:
        return SandboxFailed(
            Reason.TIME,
            "The package is being asked already and does not answer. Try again in a moment.",
        )
    return Unavailable("Many packages are being uploaded. Try again in a moment.")


@functools.cache
def sandbox() -> Sandbox:
    """The one of this process. Raises `Unavailable` when none can be made on this machine; it is
    looked for again at the next question."""
    from app.adapters.sandbox.choosing import choose_sandbox

    return choose_sandbox(os.environ.get("MOONBASE_DOCKER_URL", Settings.docker_url))
