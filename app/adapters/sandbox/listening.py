"""Talking to a process that may do anything: hands over the question, hears what it says, counts
bytes and time."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable

from app.adapters.sandbox import Reason
from app.adapters.sandbox.verdicts import Heard

_CHUNK = 65536


class Listener:
    """For one process with three pipes. `seconds` is how long it may take by the clock."""

    def __init__(self, process: subprocess.Popen[bytes], heard: Heard, seconds: float) -> None:
        if not (process.stdin and process.stdout and process.stderr):
            raise ValueError("the process has no pipes")
        self._process, self._mouth = process, process.stdin
        self._ears: dict[int, Callable[[bytes], bool]] = {
            process.stdout.fileno(): heard.hear_answer,
            process.stderr.fileno(): heard.hear_print,
        }
        self._deadline = time.monotonic() + seconds

    def listen(self, question: bytes) -> Reason | None:
        """Until the process has ended by itself (None), or has to be stopped, and why."""
        ended = os.pidfd_open(self._process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                for file in self._ears:
                    os.set_blocking(file, False)
                    selector.register(file, selectors.EVENT_READ)
                os.set_blocking(self._mouth.fileno(), False)
                selector.register(self._mouth.fileno(), selectors.EVENT_WRITE)
                return self._converse(memoryview(question), selector, ended)
        finally:
            os.close(ended)

    def _converse(
        self, question: memoryview, selector: selectors.BaseSelector, ended: int
    ) -> Reason | None:
        while (left := self._deadline - time.monotonic()) > 0:
            ready = {key.fd for key, _ in selector.select(left)}
            for file in ready & self._ears.keys():
                if not self._hear(file, selector):
                    return Reason.OUTPUT
            if ended in ready:
                # What lies in the pipes still counts; children that hold them open do not.
                return None if all(self._drain(file) for file in self._ears) else Reason.OUTPUT
            if not self._mouth.closed and self._mouth.fileno() in ready:
                question = self._say(question)
                if not question:
                    selector.unregister(self._mouth.fileno())
                    self._mouth.close()
        return Reason.TIME

    def _say(self, question: memoryview) -> memoryview:
        """What is left to say: nothing once nobody listens."""
        try:
            return question[os.write(self._mouth.fileno(), question[:_CHUNK]) :]
        except BlockingIOError:
            return question
        except BrokenPipeError:
            return question[:0]

    def _hear(self, file: int, selector: selectors.BaseSelector) -> bool:
        try:
            data = os.read(file, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            selector.unregister(file)
        return self._ears[file](data)

    def _drain(self, file: int) -> bool:
        try:
            while data := os.read(file, _CHUNK):
                if not self._ears[file](data):
                    return False
        except BlockingIOError:
            pass
        return True
