"""One Git request over HTTP: `git http-backend` run as a CGI program, streamed both ways. The web
process calls it from the view that has authorised the request; no web framework here."""

from __future__ import annotations

import logging
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, BinaryIO, cast

from app.adapters.git import ServeCommand
from app.adapters.git.commands import TIME_LIMIT
from app.adapters.git.running import end_group, signal_group
from app.errors import Unavailable

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_LONGEST_HEAD = 64 * 1024  # bytes; http-backend writes some 200
_DRAIN = 512 * 1024 * 1024  # bytes still taken from a client whose push git has refused
_PATIENCE = 60.0  # seconds for that


@dataclass(frozen=True)
class CgiResponse:
    """The answer. Closing `chunks` (a WSGI server does) ends git and everything it started."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterator[bytes]


def run_cgi(command: ServeCommand, body: BinaryIO, time_limit: float = TIME_LIMIT) -> CgiResponse:
    """Run `command` with `body` as its input; returns once its headers are there.

    CONTENT_LENGTH bytes of `body` are read, all up to its end for a chunked request, else none:
    what follows on the connection is not ours. A compressed body goes on as it is.
    Raises `Unavailable` when git ends, or `time_limit` seconds pass, before the headers; later
    both break the stream off.
    """
    try:
        transfer = _Transfer(command, body, time_limit)
    except FileNotFoundError as error:  # no git, or a repository deleted this moment
        raise Unavailable("The Git server could not be started.") from error
    try:
        status, headers = transfer.read_head()
    except BaseException:
        transfer.close()
        raise
    return CgiResponse(status, headers, transfer)


class _Transfer(Iterator[bytes]):
    """A running request: a thread feeds the input while the caller takes the output, because git
    writes before it has read everything, and a full pipe on either side would stop both."""

    def __init__(self, command: ServeCommand, body: BinaryIO, time_limit: float) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — closed by close()
        self._process = subprocess.Popen(
            list(command.arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(command.environment),
            cwd=command.directory,
            start_new_session=True,
        )
        self._output = cast("BinaryIO", self._process.stdout)
        self._closed = threading.Event()
        self._timer = threading.Timer(time_limit, self._stop)
        self._timer.daemon = True
        self._timer.start()
        self._feeder = threading.Thread(
            target=self._feed, args=(body, _body_length(command)), daemon=True
        )
        self._feeder.start()

    def read_head(self) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers, read up to the empty line."""
        status, size = HTTPStatus.OK.value, 0
        headers: list[tuple[str, str]] = []
        while True:
            line = self._output.readline(_LONGEST_HEAD)
            size += len(line)
            if not line.endswith(b"\n") or size > _LONGEST_HEAD:
                raise Unavailable("The Git server gave no answer.")
            name, separator, value = line.decode("latin-1").strip().partition(":")
            if not name:
                return status, headers
            if separator and name.lower() == "status":
                status = int(value.split()[0])
            elif separator:
                headers.append((name, value.strip()))

    def __next__(self) -> bytes:
        if self._closed.is_set():
            raise StopIteration
        chunk = self._output.read1(_CHUNK)  # type: ignore[attr-defined]
        if chunk:
            return cast("bytes", chunk)
        code = self._process.wait()
        # The client is still sending what git has refused: take it, or it never reads why.
        self._feeder.join(_PATIENCE)
        self.close()
        if code < 0 or self._feeder.is_alive():
            # Ended by a signal: the answer is cut, and must not look complete.
            raise Unavailable("The transfer was ended before it was complete.")
        raise StopIteration

    def close(self) -> None:
        """End the process group and let go of everything; may be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._timer.cancel()
        end_group(self._process)
        self._output.close()
        if self._process.returncode:
            self._errors.seek(0)
            said = self._errors.read(2000).decode(errors="replace").strip()
            log.info("git http-backend ended with %s: %s", self._process.returncode, said)
        self._errors.close()

    def _stop(self) -> None:
        if not self._closed.is_set() and self._process.returncode is None:
            signal_group(self._process.pid, signal.SIGTERM)

    def _feed(self, body: BinaryIO, length: int | None) -> None:
        """Hand the body to git; once git has stopped listening, read on for the client's sake."""
        target = cast("BinaryIO", self._process.stdin)
        is_open, left, drained = True, length, 0
        try:
            while not self._closed.is_set() and drained < _DRAIN and left != 0:
                chunk = body.read(_CHUNK if left is None else min(_CHUNK, left))
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                if is_open:
                    is_open = _write(target, chunk)
                else:
                    drained += len(chunk)
        except (OSError, ValueError) as error:  # the client has gone
            log.debug("the body of a Git request broke off: %s", error)
        finally:
            _close(target)
            if left and is_open:
                # http-backend asks for the missing bytes for ever, with all of a processor.
                self._stop()


def _body_length(command: ServeCommand) -> int | None:
    """Bytes of the request's body, None when only its end will tell."""
    length = command.environment.get("CONTENT_LENGTH", "")
    if length.isdecimal():
        return int(length)
    is_chunked = "chunked" in command.environment.get("HTTP_TRANSFER_ENCODING", "").lower()
    return None if is_chunked else 0


def _write(target: BinaryIO, chunk: bytes) -> bool:
    try:
        target.write(chunk)
        target.flush()
    except BrokenPipeError:
        return False
    return True


def _close(target: BinaryIO) -> None:
    try:
        target.close()
    except BrokenPipeError:
        log.debug("git ended before its input did")
