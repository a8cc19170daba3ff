"""An `ImageBuilder` in memory: it reads the Dockerfile and acts out a few instructions.

FROM must name an image of its engine. `RUN echo …` prints, `RUN sleep N` takes N seconds, and
`RUN exit N` fails; EXPOSE, CMD and LABEL (`name=value`) count; everything else just works.
"""

from __future__ import annotations

import json
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.adapters.engine import ImageState
from app.adapters.engine.fake import FakeEngine
from app.adapters.image_builder import (
    BuildCancelled,
    BuildFailed,
    BuildRequest,
    BuildTimedOut,
)
from app.errors import PanelError


@dataclass
class _Draft:
    """What the instructions so far amount to."""

    ports: set[int] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()

    def start_from(self, base: ImageState) -> None:
        """Begin a stage: what the base image has, and nothing of earlier stages."""
        self.ports, self.labels = set(base.exposed_ports), dict(base.labels)
        self.command, self.entrypoint = base.command, base.entrypoint


class FakeImageBuilder:
    """Builds onto a `FakeEngine`. `requests` and `files` (names of the last context) tell what."""

    pids_are_limited = True

    def __init__(self, engine: FakeEngine) -> None:
        self.requests: list[BuildRequest] = []
        self.files: list[str] = []
        self._engine = engine
        self._failures: list[PanelError] = []

    def fail_next(self, error: PanelError) -> None:
        """Let the next build raise `error` after its context was read; several go in order."""
        self._failures.append(error)

    def build(
        self,
        request: BuildRequest,
        context: BinaryIO,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> ImageState:
        self.requests.append(request)
        instructions = self._read(request, context)
        if self._failures:
            raise self._failures.pop(0)
        draft = _Draft()
        ends = time.monotonic() + request.timeout_seconds
        for number, step in enumerate(instructions, 1):
            on_line(f"Step {number}/{len(instructions)} : {step}")
            self._act(step, draft, on_line)
            _wait(step, ends, request.timeout_seconds, cancelled)
        return self._engine.add_image(
            request.tag,
            exposed_ports=tuple(draft.ports),
            labels={**draft.labels, **request.labels},
            command=draft.command,
            entrypoint=draft.entrypoint,
        )

    def sweep(self, journal: Path, others: Sequence[Path]) -> None:
        """Nothing is left by builds in memory."""
        journal.unlink(missing_ok=True)

    def _read(self, request: BuildRequest, context: BinaryIO) -> list[str]:
        name = request.dockerfile
        try:
            with tarfile.open(fileobj=context, mode="r|") as tar:
                texts = {}
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() else None
                    texts[member.name.removeprefix("./")] = file.read() if file else b""
        except tarfile.ReadError:
            texts = {}
        self.files = sorted(texts)
        if not texts:
            raise BuildFailed("There is nothing to build: the repository is empty.")
        if name not in texts:
            raise BuildFailed(f"The repository has no {name}.")
        lines = [line.strip() for line in texts[name].decode().splitlines()]
        for number, line in enumerate(lines, 1):
            word = line.partition(" ")[0]
            if line and not line.startswith("#") and word.upper() not in _INSTRUCTIONS:
                reason = f"unknown instruction: {word.upper()}"
                raise BuildFailed(f"Line {number} of the {name}: {reason}.", f"line {number}")
        steps = [line for line in lines if line and not line.startswith("#")]
        if not steps:
            raise BuildFailed(f"The {name} is empty: it needs at least a FROM instruction.")
        return steps

    def _act(self, step: str, draft: _Draft, on_line: Callable[[str], None]) -> None:
        word, _, rest = step.partition(" ")
        match word.upper(), rest.split():
            case "FROM", [reference, *_]:
                base = self._engine.inspect_image(reference)
                if base is None:
                    why = "it is not on this engine, and no registry answers."
                    sentence = f"The base image “{reference}” was not found: {why}"
                    raise BuildFailed(sentence, step)
                draft.start_from(base)
            case "EXPOSE", ports:
                draft.ports.update(int(port.partition("/")[0]) for port in ports)
            case "LABEL", pairs:
                for pair in pairs:
                    name, _, value = pair.partition("=")
                    draft.labels[name] = value
            case "CMD", _:
                draft.command = _words(rest)
            case "ENTRYPOINT", _:
                draft.entrypoint = _words(rest)
            case "RUN", ["echo", *words]:
                on_line(" ".join(words))
            case "RUN", ["exit", code] if code != "0":
                raise BuildFailed(f"“{step}” ended with code {code}.", step)


_INSTRUCTIONS = frozenset(
    "FROM RUN CMD LABEL EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD "
    "STOPSIGNAL HEALTHCHECK SHELL MAINTAINER".split()
)


def _words(rest: str) -> tuple[str, ...]:
    if rest.startswith("["):
        return tuple(json.loads(rest))
    return ("/bin/sh", "-c", rest)


def _wait(step: str, ends: float, limit: float, cancelled: threading.Event) -> None:
    """Let a `RUN sleep N` take its time; a cancel or the build's limit ends any step."""
    words = step.split()
    seconds = float(words[2]) if words[:2] == ["RUN", "sleep"] else 0.0
    left = max(0.0, ends - time.monotonic())
    if cancelled.wait(min(seconds, left)):
        raise BuildCancelled("The build was cancelled.")
    if seconds > left or left == 0.0:
        raise BuildTimedOut(f"The build took longer than {limit:g} seconds and was stopped.", step)
