"""From what came out of a sandbox to an answer, or to why there is none. None of it is trusted."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from app.adapters.sandbox import Question, Reason, SandboxFailed, SandboxLimits
from app.errors import Unavailable

READY = b"ready\n"
PRINTED_BYTES = 4096
"""The end of what a package printed that is kept for its authors."""
_SENTENCE_LENGTH, _DETAIL_LENGTH = 500, 20_000


def question_bytes(
    question: Question, limits: SandboxLimits, counts_processes: bool = True
) -> bytes:
    """The question as the guest reads it. `counts_processes`: whether it is to limit their number
    by itself."""
    words = {
        "topic": question.topic.value,
        "kind": question.kind,
        "source": question.source,
        "payload": dict(question.payload),
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "processes": limits.processes if counts_processes else None,
            "cpu_seconds": limits.cpu_seconds,
            "disk_bytes": limits.disk_bytes,
            "output_bytes": limits.output_bytes,
        },
    }
    return json.dumps(words).encode()


@dataclass
class Heard:
    """What has come out so far: the answer whole, of the rest its end."""

    limits: SandboxLimits
    answer: bytearray = field(default_factory=bytearray)
    printed: bytes = b""
    _printed_count: int = 0

    def hear_answer(self, data: bytes) -> bool:
        """Whether it may go on."""
        self.answer += data
        return len(self.answer) <= self.limits.output_bytes + len(READY) + 100

    def hear_print(self, data: bytes) -> bool:
        """Whether it may go on."""
        self._printed_count += len(data)
        self.printed = (self.printed + data)[-PRINTED_BYTES:]
        return self._printed_count <= self.limits.output_bytes

    def text(self) -> str:
        """The end of what was printed."""
        return self.printed.decode(errors="replace").replace("\x00", "�").strip()


@dataclass(frozen=True)
class End:
    """How it ended. `stopped` says that the panel ended it, and why; `status` is negative for a
    signal; `is_out_of_memory` is what the kernel says; `seconds` by the clock."""

    stopped: Reason | None = None
    status: int = 0
    is_out_of_memory: bool = False
    seconds: float = 0.0


_SENTENCES = {
    Reason.TIME: "The package took longer than it may ({0}).",
    Reason.MEMORY: "The package needs more memory than it may use ({0}).",
    Reason.OUTPUT: "The package writes more than it may ({0}).",
    Reason.CRASH: "The package ended without an answer.",
    Reason.NONSENSE: "The package gave an answer that makes no sense.",
    Reason.RAISED: "The package failed.",
}
_SIGNALLED = 128  # how the end by a signal of what ran inside is told


def answer_of(heard: Heard, end: End) -> Mapping[str, Any]:
    """The answer. Raises `SandboxFailed`, and `Unavailable` when the sandbox itself failed."""
    answer = bytes(heard.answer)
    if not answer.startswith(READY) and end.stopped is None and not end.is_out_of_memory:
        raise Unavailable(f"The sandbox did not start: {heard.text()[-300:] or end.status}")
    reason = end.stopped or _reason_of(end, len(answer) > len(READY), heard.limits)
    if reason is not None:
        _fail(reason, heard)
    try:
        words = json.loads(answer.removeprefix(READY), parse_constant=_no_constant)
        is_plain = isinstance(words, dict) and _is_plain(words)
    except (ValueError, RecursionError):
        _fail(Reason.NONSENSE, heard)
    if not is_plain:
        _fail(Reason.NONSENSE, heard)
    if isinstance(words.get("answer"), dict):
        return dict(words["answer"])
    raise _as_told(words.get("refused"), heard)


def _reason_of(end: End, has_answered: bool, limits: SandboxLimits) -> Reason | None:
    if has_answered and end.status == 0:
        return None
    if end.is_out_of_memory:
        return Reason.MEMORY
    signalled = end.status - _SIGNALLED
    # A package may let the warning pass; the kernel then kills it a second later.
    is_kill = signalled == signal.SIGKILL and end.seconds >= limits.cpu_seconds
    return Reason.TIME if is_kill or signalled == signal.SIGXCPU else Reason.CRASH


def _fail(reason: Reason, heard: Heard) -> NoReturn:
    limits = heard.limits
    allowed = {
        Reason.TIME: f"{limits.wall_seconds:g} s, {limits.cpu_seconds} s of the processor",
        Reason.MEMORY: f"{limits.memory_bytes // 1024**2} MB",
        Reason.OUTPUT: f"{limits.output_bytes} bytes",
    }
    raise SandboxFailed(reason, _SENTENCES[reason].format(allowed.get(reason)), heard.text())


def _as_told(refused: object, heard: Heard) -> SandboxFailed:
    if not isinstance(refused, dict) or refused.get("reason") not in set(Reason):
        _fail(Reason.NONSENSE, heard)
    reason = Reason(refused["reason"])
    if reason in (Reason.MEMORY, Reason.OUTPUT):
        _fail(reason, heard)
    sentence = str(refused.get("sentence") or _SENTENCES[reason])[:_SENTENCE_LENGTH]
    details = [str(refused.get("detail") or "")[-_DETAIL_LENGTH:], heard.text()]
    return SandboxFailed(reason, sentence, "\n\n".join(text for text in details if text))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and infinities are no JSON


def _is_plain(value: object) -> bool:
    """Whether every text can be written to a database: no halves of characters, no NUL; and every
    number fits."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63
