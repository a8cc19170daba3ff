"""The pipe of a backup: what a service writes → counted → encrypted → counted → store; and back.

One side pushes and the other pulls, so each has a thread, with a pipe of the kernel between them
that holds a megabyte: memory stays flat, however much flows. Nothing here knows the database.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar, cast

import pyrage

from app.errors import Invalid

Answer = TypeVar("Answer")
Look = Callable[[], None]
"""Called while bytes flow, with each piece; stops everything by raising."""

PIPE_BYTES = 1024**2
BLOCK = 256 * 1024
"""How much is read at once."""
DAMAGED = "The stored file of this backup is damaged: what is read is not what was written."
NO_KEY = (
    "The stored file of this backup cannot be decrypted: it is damaged, or its key is not among "
    "the operator's keys. After a restored panel, put the keys of the same time back too."
)


@dataclass(frozen=True)
class Measure:
    """What flowed: bytes, and their SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Written(Generic[Answer]):
    """What was made of what flowed in, and what the producer said."""

    plain: Measure
    stored: Measure
    answer: Answer


class Broken(Exception):
    """The other side has failed; its own error is the one that counts."""


def never() -> None:
    """Nothing to look after while bytes flow."""


class _Meter:
    def __init__(self) -> None:
        self._sum, self._size = hashlib.sha256(), 0

    def take(self, data: Any) -> None:
        self._sum.update(data)
        self._size += len(data)

    def read(self) -> Measure:
        return Measure(self._size, self._sum.hexdigest())


class _Sink(io.RawIOBase):
    """Counts what is written and passes it on. `look` is called with each piece and may raise."""

    def __init__(self, target: BinaryIO | None, look: Look = never) -> None:
        super().__init__()
        self._target, self._look, self._meter = target, look, _Meter()
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        try:
            self._look()
            self._meter.take(data)
            if self._target is not None:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._target.write(rest) :]
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def measure(self) -> Measure:
        return self._meter.read()


class _Source(io.RawIOBase):
    """Counts what is read, in large blocks whatever the reader asks for. `look` may raise."""

    def __init__(self, origin: BinaryIO, look: Look = never) -> None:
        super().__init__()
        self._origin, self._look, self._meter = origin, look, _Meter()
        self._block = memoryview(b"")
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        if not self._block:
            self._fill()
        piece = bytes(self._block[:size])
        self._block = self._block[size:]
        return piece

    def readinto(self, buffer: Any, /) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _fill(self) -> None:
        try:
            self._look()
            data = self._origin.read(BLOCK) or b""
        except BaseException as error:
            self.error = error
            raise
        self._meter.take(data)
        self._block = memoryview(data)

    def drain(self) -> None:
        """Read to the end."""
        while self.read(BLOCK):
            pass

    def measure(self) -> Measure:
        return self._meter.read()


class _Pipe:
    """A pipe of the kernel with an end that can be broken: then the other one raises `Broken`
    instead of taking what came so far for all."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        with contextlib.suppress(OSError):  # the kernel may allow less to those who are not root
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.is_broken = False
        self.reader = cast(BinaryIO, _ReadingEnd(self, os.fdopen(reading, "rb", buffering=0)))
        self.writer: BinaryIO = os.fdopen(writing, "wb", buffering=0)

    def break_off(self) -> None:
        self.is_broken = True
        self.writer.close()


class _ReadingEnd(io.RawIOBase):
    def __init__(self, pipe: _Pipe, file: Any) -> None:
        super().__init__()
        self._pipe, self._file = pipe, file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self._file.read(size)
        if not data and self._pipe.is_broken:
            raise Broken
        return data

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def encrypt(
    produce: Callable[[BinaryIO], Answer],
    store_file: BinaryIO,
    recipients: Sequence[Any],
    look: Look = never,
) -> Written[Answer]:
    """Have `produce` write, and write it encrypted (age) to `store_file`. `look` is called all the
    while and stops everything by raising. Raises what went wrong first."""
    pipe = _Pipe()
    sink = _Sink(pipe.writer, look)
    target = _Sink(store_file)

    def encrypting() -> None:
        pyrage.encrypt_io(pipe.reader, target, list(recipients))

    beside = _Beside(encrypting, pipe.reader, target)
    try:
        answer = produce(cast(BinaryIO, sink))
        pipe.writer.close()
    except BaseException:
        pipe.break_off()
        beside.join()
        if target.error is not None:  # that is why the producer could not write
            raise target.error from None
        if sink.error is not None and not isinstance(sink.error, BrokenPipeError):
            raise sink.error from None  # what `look` said, in whatever words it came back
        raise
    beside.join()
    beside.raise_error()
    return Written(sink.measure(), target.measure(), answer)


def decrypt(
    stored: BinaryIO,
    target: BinaryIO | None,
    identities: Sequence[Any],
    look: Look = never,
) -> Written[None]:
    """Decrypt `stored` into `target`, or only measure it. Raises `Invalid` when it is damaged or
    no key opens it."""
    source, sink = _Source(stored, look), _Sink(target)
    _decrypt(source, sink, identities)
    return Written(sink.measure(), source.measure(), None)


def measure(stored: BinaryIO, look: Look = never) -> Measure:
    """Read to the end."""
    source = _Source(stored, look)
    source.drain()
    return source.measure()


def refuse_unopenable(stored: BinaryIO, identities: Sequence[Any]) -> None:
    """Raise `Invalid` when no key opens `stored`, after its first block."""

    def enough() -> None:
        raise _Enough

    with contextlib.suppress(_Enough):
        _decrypt(_Source(stored), _Sink(None, enough), identities)


class _Enough(Exception):
    """It opens: there is no need to read on."""


def consume(
    open_stored: Callable[[], BinaryIO],
    take: Callable[[BinaryIO], Answer],
    identities: Sequence[Any],
    look: Look = never,
) -> Written[Answer]:
    """Decrypt what `open_stored` opens and have `take` read it, who may go back to its beginning:
    then it is opened and decrypted anew. What `take` leaves unread is read to the end, so that
    what is measured is all. Raises `Invalid` when it is damaged, also in the middle."""
    source = _Rewinding(lambda: _Pass(open_stored(), identities, look))
    try:
        answer = take(cast(BinaryIO, io.BufferedReader(source, BLOCK)))
        plain, stored = source.present.finish()
    except BaseException:
        source.present.abandon()
        raise
    return Written(plain, stored, answer)


class _Pass:
    """One decryption from the beginning, in a thread, to be read by `given`."""

    def __init__(self, stored: BinaryIO, identities: Sequence[Any], look: Look) -> None:
        self._pipe, self._stored = _Pipe(), stored
        self._source, self._sink = _Source(stored, look), _Sink(self._pipe.writer)
        self._identities = identities
        self.given = _Source(self._pipe.reader)
        self._beside = _Beside(self._decrypt, None, None)

    def _decrypt(self) -> None:
        try:
            _decrypt(self._source, self._sink, self._identities)
            self._pipe.writer.close()
        except BaseException:
            self._pipe.break_off()
            raise

    def finish(self) -> tuple[Measure, Measure]:
        """Read to the end; what was plain and what was stored."""
        self.given.drain()
        self._beside.join()
        self._beside.raise_error()
        self._close()
        return self.given.measure(), self._source.measure()

    def abandon(self) -> None:
        """Stop. Raises what broke the pass, if that came before whatever else did."""
        failed_first = self._pipe.is_broken
        self._close()
        if failed_first:
            self._beside.raise_error()

    def _close(self) -> None:
        self._pipe.reader.close()  # the thread finds nobody to write for, and ends
        self._beside.join()
        self._stored.close()


class _Rewinding(io.RawIOBase):
    """Reads pass after pass: it can go back to its beginning and nowhere else."""

    def __init__(self, begin: Callable[[], _Pass]) -> None:
        super().__init__()
        self._begin, self._at = begin, 0
        self.present = begin()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        count = self.present.given.readinto(buffer)
        self._at += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._at):
            raise io.UnsupportedOperation("what is decrypted can only be read from its beginning")
        if offset != self._at:
            self.present.abandon()
            self.present, self._at = self._begin(), 0
        return offset


def _decrypt(source: _Source, sink: _Sink, identities: Sequence[Any]) -> None:
    try:
        pyrage.decrypt_io(source, sink, list(identities))
        source.drain()
    except Exception as error:
        # Whatever its own words: an error of either end is the cause, all else is the file's.
        cause = source.error or sink.error
        if cause is not None:
            raise cause from None
        raise Invalid(NO_KEY) from error


class _Beside:
    """A thread whose error is kept for whoever waits for it."""

    def __init__(self, act: Callable[[], None], end: BinaryIO | None, target: _Sink | None) -> None:
        self._act, self._end, self._target = act, end, target
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - raised again by `raise_error`
            self._error = error
        finally:
            if self._end is not None:
                self._end.close()  # whoever writes must not wait for a reader that is gone

    def join(self) -> None:
        self._thread.join()

    def raise_error(self) -> None:
        if self._error is not None:
            raise (self._target.error if self._target else None) or self._error
