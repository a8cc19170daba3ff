"""The sandbox by containers, for machines where bubblewrap cannot make its namespaces.

The guest is handed in through the standard input, into a file system in memory: the engine may see
other files than this process does. Slower than bubblewrap (0.4 s against 0.03 s, measured), and
whoever asks must be let near the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pluggy

from app.adapters.docker_api import DockerConnection, engine_errors
from app.adapters.sandbox import Question, Reason, SandboxLimits, Topic
from app.adapters.sandbox.bubblewrap import APP, GUEST, START
from app.adapters.sandbox.guest.readme import LIBRARIES
from app.adapters.sandbox.interpreter import folder_of
from app.adapters.sandbox.verdicts import End, Heard, answer_of, question_bytes

IMAGE = "moonbase/python:3.11"
"""The panel's own base image of Python sites: made at the first start."""
LABEL = "moonbase.sandbox"
ABANDONED_SECONDS = 120
_CHUNK = 65536
_HEADER = 8  # of a frame: the stream's number, three zeros, the length
_STDOUT = 1
# Writes what is handed in to its places, then begins; the question follows in the same stream.
_BOOT = f"""
import json, os, sys
os.environ.clear()  # the image's
os.environ["HOME"] = "/tmp"
stream = sys.stdin.buffer
head = json.loads(stream.readline())
for name, text in head["files"].items():
    os.makedirs(os.path.dirname("/panel/" + name), exist_ok=True)
    with open("/panel/" + name, "w", encoding="utf-8") as file:
        file.write(text)
left = head["archive"]
if left is not None:
    with open("/panel/archive", "wb") as file:
        while left:
            data = stream.read(min(left, 65536))
            left -= len(data)
            file.write(data)
exec(compile(open({START!r}).read(), {START!r}, "exec"))
"""


class ContainerSandbox:
    """Asks packages, one container a question. Safe for threads."""

    def __init__(
        self, docker_url: str | None, limits: SandboxLimits | None = None, image: str = IMAGE
    ) -> None:
        self.limits = limits or SandboxLimits()
        self._connection = DockerConnection(docker_url)
        self._image = image

    def limits_held(self) -> bool:
        """Whether memory and processes are limited for all processes of a question together."""
        return True

    def ask(self, question: Question) -> Mapping[str, Any]:
        """The answer. `SandboxFailed` when there is none, `Unavailable` when the engine cannot
        make the container; `Invalid` when the image is not there."""
        heard = Heard(self.limits)
        api = self._connection.api()
        with engine_errors():
            _sweep(api)
            made = api.create_container(**self._settings(question))["Id"]
            began = time.monotonic()
            try:
                stopped = self._attend(api, made, question, heard)
                if stopped is None:
                    api.wait(made, timeout=int(self.limits.wall_seconds) + 1)
                seconds = time.monotonic() - began
                state = api.inspect_container(made)["State"]
            finally:
                api.remove_container(made, force=True, v=True)
        return answer_of(heard, End(stopped, state["ExitCode"], state["OOMKilled"], seconds))

    def _settings(self, question: Question) -> dict[str, Any]:
        limits = self.limits
        archive = question.archive.stat().st_size if question.archive else 0
        host = docker.types.HostConfig(
            version=self._connection.api().api_version,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limits.memory_bytes + archive,
            memswap_limit=limits.memory_bytes + archive,
            nano_cpus=10**9,
            pids_limit=limits.processes,
            ipc_mode="none",
            log_config=docker.types.LogConfig(type="none"),
            tmpfs={
                "/tmp": f"size={limits.disk_bytes},mode=1777",  # noqa: S108
                "/panel": f"size={archive + 2**22},mode=0777",
            },
        )
        return {
            "image": self._image,
            "name": f"moonbase-sandbox-{os.getpid()}-{uuid.uuid4().hex[:12]}",
            "command": ["-I", "-S", "-X", "utf8", "-c", _BOOT],
            "entrypoint": ["python3"],
            "environment": {"LC_ALL": "C.UTF-8"},
            "user": "65534:65534",
            "working_dir": "/tmp",  # noqa: S108
            "labels": {LABEL: "1"},
            "stdin_open": True,
            "host_config": host,
        }

    def _attend(
        self, api: docker.APIClient, container: str, question: Question, heard: Heard
    ) -> Reason | None:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached = api.attach_socket(container, params=streams)
        line: socket.socket = getattr(attached, "_sock", attached)
        deadline = time.monotonic() + self.limits.wall_seconds
        try:
            api.start(container)
            line.setblocking(False)
            return _converse(line, self._handed_in(question), heard, deadline)
        finally:
            with contextlib.suppress(OSError):
                attached.close()
                line.close()

    def _handed_in(self, question: Question) -> Iterator[bytes]:
        files = {
            f"app/adapters/sandbox/guest/{path.name}": path.read_text()
            for path in GUEST.glob("*.py")
        }
        if question.kind == "plugin":
            files["app/addons/api.py"] = (APP / "addons" / "api.py").read_text()
            library = Path(pluggy.__file__).parent
            files |= {f"pluggy/{path.name}": path.read_text() for path in library.glob("*.py")}
        if question.topic == Topic.RENDER:
            for name in LIBRARIES:
                files |= _texts_below(folder_of(name), name)
        size = question.archive.stat().st_size if question.archive else None
        yield json.dumps({"files": files, "archive": size}).encode() + b"\n"
        if question.archive is not None:
            with question.archive.open("rb") as file:
                while data := file.read(_CHUNK):
                    yield data
        # The engine counts processes; by user they would count for the whole machine.
        yield question_bytes(question, self.limits, counts_processes=False)


def _texts_below(folder: Path, name: str) -> dict[str, str]:
    """All files of a library but what Python has compiled of them."""
    return {
        f"{name}/{path.relative_to(folder)}": path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def _converse(
    line: socket.socket, words: Iterator[bytes], heard: Heard, deadline: float
) -> Reason | None:
    rest, frames = memoryview(next(words)), _Frames(heard)
    with selectors.DefaultSelector() as selector:
        key = selector.register(line, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while (left := deadline - time.monotonic()) > 0:
            ready = [events for _, events in selector.select(left)]
            events = ready[0] if ready else 0
            if events & selectors.EVENT_READ:
                try:
                    data = line.recv(_CHUNK)
                except ConnectionResetError:
                    data = b""
                if not data:
                    return None
                if not frames.feed(data):
                    return Reason.OUTPUT
            if events & selectors.EVENT_WRITE:
                with contextlib.suppress(BlockingIOError):
                    try:
                        rest = rest[line.send(rest[:_CHUNK]) :]
                    except (BrokenPipeError, ConnectionResetError):
                        words, rest = iter(()), rest[:0]
                if not rest and not (rest := memoryview(next(words, b""))):
                    selector.modify(key.fileobj, selectors.EVENT_READ)
                    with contextlib.suppress(OSError):
                        line.shutdown(socket.SHUT_WR)
    return Reason.TIME


class _Frames:
    """Takes the engine's frames apart, each a piece of one of the two outputs."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._header = b""
        self._stream, self._left = 0, 0

    def feed(self, data: bytes) -> bool:
        """Whether it may go on."""
        while data:
            if self._left == 0:
                wanted = _HEADER - len(self._header)
                self._header, data = self._header + data[:wanted], data[wanted:]
                if len(self._header) == _HEADER:
                    self._stream = self._header[0]
                    self._left = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                continue
            piece, data = data[: self._left], data[self._left :]
            self._left -= len(piece)
            is_answer = self._stream == _STDOUT
            if not (self._heard.hear_answer if is_answer else self._heard.hear_print)(piece):
                return False
        return True


def _sweep(api: docker.APIClient) -> None:
    """Remove containers whose maker was killed before it could."""
    for found in api.containers(all=True, filters={"label": LABEL}):
        if time.time() - found["Created"] > ABANDONED_SECONDS:
            with contextlib.suppress(docker.errors.APIError):
                api.remove_container(found["Id"], force=True, v=True)
