"""A restore whose process is killed in the middle: `python -m tests.contracts.cut_off`."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from enum import StrEnum

from app.adapters.engine.docker import DockerEngine
from app.adapters.services import Facts, Server
from app.adapters.services.all_kinds import AllKinds
from tests.contracts.service_fixtures import Place


class Moment(StrEnum):
    """When it is killed."""

    TAKEN_IN = "while the dump is taken in"
    FILLED = "when the new database is filled"
    LARGE = "while a large object is uploaded"


class _Deadly(io.BytesIO):
    """Ends the process that reads it."""

    def __init__(self, content: bytes, moment: Moment | None) -> None:
        super().__init__(content)
        self._moment, self._ends, self._rounds = moment, 0, 0

    def seek(self, place: int, whence: int = 0) -> int:
        self._rounds += 1
        return super().seek(place, whence)

    def read(self, size: int | None = -1) -> bytes:
        if self._moment == Moment.TAKEN_IN or (self._moment == Moment.LARGE and self._rounds > 1):
            half = len(self.getvalue()) // 2
            if self.tell() >= half:
                time.sleep(1)  # what was read before is on its way into the server
                os.kill(os.getpid(), signal.SIGKILL)
            size = min(half, half if size is None or size < 0 else size)
        piece = super().read(size)
        self._ends += not piece
        # Who looks a second time has done everything but to swap.
        if self._ends == 2 and self._moment == Moment.FILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece


def cut_off(place: Place, server: Server, facts: Facts, content: bytes, moment: Moment) -> None:
    """Restore `content` in a process of its own, which is killed at the moment."""
    process = begin(place, server, facts, content, moment)
    assert process.wait(60) == -signal.SIGKILL


def begin(
    place: Place, server: Server, facts: Facts, content: bytes, moment: Moment | None = None
) -> subprocess.Popen[bytes]:
    """Restore `content` in a process of its own."""
    question = pickle.dumps((place.settings, server, facts, content, moment))
    words = [sys.executable, "-m", "tests.contracts.cut_off"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert process.stdin
    with process.stdin:
        process.stdin.write(question)
    return process


if __name__ == "__main__":
    settings, server, facts, content, moment = pickle.load(sys.stdin.buffer)
    backends = AllKinds(DockerEngine(settings.docker_url), settings)
    backends.of(server.kind).restore(server, facts, _Deadly(content, moment))
