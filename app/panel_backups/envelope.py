"""The age layer around a backup: streams, so that memory does not grow with the backup."""

from __future__ import annotations

import os
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, Protocol

import pyrage

from app.errors import Invalid, Unavailable

DAMAGED = "The backup is damaged or cut off. Nothing was changed."
NO_KEY = "This key does not open the backup. Use the one it was made for."


class Writable(Protocol):
    """Where something encrypted goes."""

    def write(self, piece: bytes, /) -> int: ...

    def flush(self) -> None: ...


class _Pump(threading.Thread):
    """Runs one direction of age beside the one who writes or reads the plain text."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._work = work

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again by who waits
            self.error = error


@contextmanager
def sealing(target: Writable, recipients: Sequence[Any]) -> Iterator[IO[bytes]]:
    """A stream to write to; what is written arrives encrypted in `target`.

    Raises `Unavailable` with the reason when `target` takes no more, e.g. on a full disk.
    """
    reading, writing = os.pipe()
    source = os.fdopen(reading, "rb", buffering=0)

    def work() -> None:
        with source:  # closed after an error too: who writes must not wait for ever
            pyrage.encrypt_io(source, target, list(recipients))

    pump = _Pump(work)
    pump.start()
    sink = os.fdopen(writing, "wb")
    try:
        yield sink
        sink.close()
    except BrokenPipeError:
        if pump.error is None:
            pump.join()
    finally:
        with suppress(OSError):
            sink.close()
        pump.join()
    if pump.error is not None:
        raise Unavailable(f"The backup cannot be written ({pump.error}).") from pump.error


@contextmanager
def opening(source: IO[bytes], identities: Sequence[Any]) -> Iterator[IO[bytes]]:
    """A stream of the plain text of `source`. Raises `Invalid` when no key opens it, and when it
    is damaged: whatever was read before is then not to be trusted."""
    reading, writing = os.pipe()
    sink = os.fdopen(writing, "wb")

    def work() -> None:
        with suppress(BrokenPipeError), sink:
            pyrage.decrypt_io(source, sink, list(identities))

    pump = _Pump(work)
    pump.start()
    plain = os.fdopen(reading, "rb")
    try:
        yield plain
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        plain.close()
        pump.join()
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk that is written to, not of the backup
        raise _explained(pump.error) from error
    finally:
        plain.close()
        pump.join()
    if pump.error is not None:
        raise _explained(pump.error) from pump.error


def _explained(error: BaseException | None) -> Invalid:
    return Invalid(NO_KEY if isinstance(error, pyrage.DecryptError) else DAMAGED)
