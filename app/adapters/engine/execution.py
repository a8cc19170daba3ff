"""The part of `DockerEngine` that runs a command inside a running container, as a stream.

Docker turns the HTTP connection of `POST /exec/…/start` into a two-way stream: what is sent is the
command's standard input, what comes back are frames of its two outputs.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from docker.errors import APIError

from app.adapters.docker_api import ANSWER_SECONDS, DockerConnection, engine_errors
from app.adapters.engine import Execution
from app.adapters.engine.refusals import CONFLICT, GONE
from app.errors import PanelError, Unavailable

_PIECE = 256 * 1024
_HEADER_BYTES = 8  # stream number, three zeros, length as four bytes big-endian
_STDERR = 2
_ERRORS_KEPT = 4000
# Seconds a killed command's stream may take to end before the connection is cut.
_CUT_AFTER = 5
# The stream of a command whose container dies at the wrong moment never ends (Docker 20.10): so
# often it is asked whether that still runs.
_LOOK_SECONDS = 2
# Seconds within which the engine notes the exit code after the stream's end; milliseconds as a
# rule, but it may be busy.
_CODE_WITHIN = 10
# The command and all it starts carry a mark in their environment, by which they are found: the
# numbers the engine knows them by are those of its own machine. Several rounds, for what forks.
_MARK = "MOONBASE_EXECUTION"
ENDED = "The container ended while a command ran in it."
_KILL = """\
for round in 1 2 3 4 5; do
  found=$(grep -lF "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
  [ -n "$found" ] || exit 0
  kill -9 $found 2>/dev/null
done
"""


class DockerExecution:
    """Commands inside running containers of one engine."""

    _connection: DockerConnection

    def execute(
        self,
        container: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        timeout_seconds: float,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Execution:
        """Run `command`, its input read from `source` and its output written to `sink`.

        When `source` or `sink` raise, the command is killed before it could take a broken input
        for a whole one, and the error goes on. To be killed it needs `sh`, `grep` and `cut` in
        the image; without them its connection is cut. Raises `Unavailable` when the container
        does not run or the engine goes away.
        """
        since = self._running_since(container)
        if since is None:
            raise Unavailable("The container engine does not answer.")
        if not since:
            raise Unavailable(f"The container “{container}” does not run.")
        mark = secrets.token_hex(16)
        marked = {**environment, _MARK: mark}
        number = self._prepare(container, command, marked, source is not None)
        run = _Run(
            self._connection,
            number,
            kill=lambda: self._kill_marked(container, mark),
            is_alive=lambda: self._running_since(container) in (since, None),
        )
        return run.stream(timeout_seconds, source, sink)

    def _running_since(self, container: str) -> str | None:
        """When it was started; empty when it does not run, None when the engine does not answer,
        which may take it tens of seconds."""
        try:
            with engine_errors():
                state = self._connection.api().inspect_container(container)["State"]
        except Unavailable:
            return None
        except PanelError:
            return ""
        is_up = state["Running"] and not state.get("Restarting")
        return str(state["StartedAt"]) if is_up else ""

    def _prepare(
        self,
        container: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        reads: bool,
    ) -> str:
        with engine_errors():
            try:
                made = self._connection.api().exec_create(
                    container, list(command), stdin=reads, environment=dict(environment)
                )
            except APIError as error:
                if error.status_code in (GONE, CONFLICT):
                    raise Unavailable(f"The container “{container}” does not run.") from error
                raise
        return str(made["Id"])

    def _kill_marked(self, container: str, mark: str) -> None:
        with suppress(PanelError), engine_errors():
            api = self._connection.api()
            made = api.exec_create(container, ["sh", "-c", _KILL, "sh", mark])
            api.exec_start(made["Id"])


class _Run:
    """One command with the threads that feed it and look at the clock."""

    def __init__(
        self,
        connection: DockerConnection,
        number: str,
        kill: Callable[[], None],
        is_alive: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._number = number
        self._kill = kill
        self._is_alive = is_alive
        self._over = threading.Event()
        self._is_late = self._is_gone = False
        self._feeding_error: BaseException | None = None

    def stream(
        self, timeout_seconds: float, source: BinaryIO | None, sink: BinaryIO | None
    ) -> Execution:
        with engine_errors():
            response = self._start()
        # Through the buffered file, for the first frames may have come with the answer's head;
        # written to its socket, which nothing else writes to.
        self._output = response.raw._fp.fp
        self._socket: socket.socket = self._output.raw._sock
        self._socket.settimeout(None)  # it may work for long without a word
        threads = [threading.Thread(target=self._watch, args=(timeout_seconds,), daemon=True)]
        if source is not None:
            threads.append(threading.Thread(target=self._feed, args=(source,), daemon=True))
        for thread in threads:
            thread.start()
        try:
            errors = self._read(sink)
        except BaseException:
            self._break_off()
            if self._feeding_error is None:
                raise
        finally:
            self._over.set()
            self._cut()
            for thread in threads:
                # The feeder may be waiting for a source that has nothing more to say.
                thread.join(_CUT_AFTER)
            response.close()
        if self._feeding_error is not None:
            raise self._feeding_error
        if self._is_late:
            return Execution(None, errors, timed_out=True)
        if self._is_gone:
            raise Unavailable(ENDED)
        return Execution(self._exit_code(), errors)

    def _start(self) -> Any:
        api = self._connection.api()
        response = api.request(
            "POST",
            f"{api.base_url}/v{api.api_version}/exec/{self._number}/start",
            json={"Tty": False, "Detach": False},
            headers={"Connection": "Upgrade", "Upgrade": "tcp"},
            stream=True,
            timeout=(ANSWER_SECONDS, ANSWER_SECONDS),
        )
        try:
            api._raise_for_status(response)  # type: ignore[attr-defined]
        except APIError as error:
            if error.status_code in (GONE, CONFLICT):  # it ended since it was looked at
                raise Unavailable(ENDED) from error
            raise
        return response

    def _read(self, sink: BinaryIO | None) -> str:
        """Pass on the command's output until it ends; the end of what it said to stderr."""
        errors = b""
        while header := self._exactly(_HEADER_BYTES):
            piece = self._exactly(int.from_bytes(header[4:], "big"))
            if header[0] == _STDERR:
                # In bytes first: a character has up to four of them.
                errors = (errors + piece)[-4 * _ERRORS_KEPT :]
            elif sink is not None:
                sink.write(piece)
        return errors.decode(errors="replace")[-_ERRORS_KEPT:]

    def _exactly(self, count: int) -> bytes:
        """So many bytes, or none at the stream's end. An end in the middle is `Unavailable`,
        unless we cut it ourselves."""
        with engine_errors():
            found = bytes(self._output.read(count))
            if len(found) == count:
                return found
            if self._is_late or (not found and count == _HEADER_BYTES):
                return b""
            raise OSError("the engine's stream broke off")

    def _feed(self, source: BinaryIO) -> None:
        try:
            while not self._over.is_set() and (piece := source.read(_PIECE)):
                try:
                    self._socket.sendall(piece)
                except OSError:  # it has ended and wants no more; its exit code says whether well
                    return
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        except BaseException as error:  # noqa: BLE001 — raised again by who waits for us
            self._feeding_error = error
            self._break_off()

    def _watch(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._over.wait(max(0.0, min(_LOOK_SECONDS, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                self._is_late = True
                return self._break_off(_CUT_AFTER)
            if not self._is_alive():
                self._is_gone = True
                return self._cut()
        return None

    def _break_off(self, patience: float = 0) -> None:
        """Kill the command and cut the connection; killing may take a minute of its own where
        the engine hangs, so nobody waits for that."""
        killing = threading.Thread(target=self._kill, daemon=True)
        killing.start()
        if not patience:
            killing.join(_CUT_AFTER)
        if not self._over.wait(patience):
            self._cut()

    def _cut(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _exit_code(self) -> int:
        """What it ended with. Raises `Unavailable` when the engine does not know of its end."""
        deadline = time.monotonic() + _CODE_WITHIN
        while time.monotonic() < deadline:
            with engine_errors():
                try:
                    found = self._connection.api().exec_inspect(self._number)
                except APIError as error:
                    if error.status_code == GONE:
                        break
                    raise
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            time.sleep(0.02)
        raise Unavailable(ENDED)
