"""The pipe of a backup: what a service writes → counted → encrypted → counted → store; and back.

What encrypts is a process of its own (`cipher`); one thread feeds it and another takes what comes
out, with pipes of the kernel between that hold a megabyte: memory stays flat, however much flows.
Nothing here knows the database.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, Protocol, TypeVar, cast

from app.backups.cipher import Cipher, Direction
from app.backups.measuring import BLOCK, Measure, Meter
from app.errors import Invalid

DAMAGED = "The stored file of this backup is damaged: what is read is not what was written."
Answer = TypeVar("Answer")
Look = Callable[[], None]
"""Called while bytes flow, with each piece; stops everything by raising."""


class Writable(Protocol):
    """What takes bytes, and says how many of them."""

    def write(self, data: Any, /) -> int: ...


@dataclass(frozen=True)
class Written(Generic[Answer]):
    """What was made of what flowed in, and what the producer said."""

    plain: Measure
    stored: Measure
    answer: Answer


def never() -> None:
    """Nothing to look after while bytes flow."""


class _Sink(io.RawIOBase):
    """Passes on what is written, and has `meter` count it. `look` is called with each piece and
    may raise."""

    def __init__(
        self, target: Writable | None, look: Look = never, meter: Meter | None = None
    ) -> None:
        super().__init__()
        self._target, self._look, self._meter = target, look, meter
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        try:
            self._look()
            if self._meter:
                self._meter.take(data)
            if self._target is not None:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._target.write(rest) :]
        except BaseException as error:
            self.error = error
            raise
        return len(data)


class _Source(io.RawIOBase):
    """Reads in large blocks whatever is asked for, and has `meter` count it. `look` may raise."""

    def __init__(self, origin: BinaryIO, look: Look = never, meter: Meter | None = None) -> None:
        super().__init__()
        self._origin, self._look, self._meter = origin, look, meter
        self._block, self._at = b"", 0
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        if self._at == len(self._block):
            self._fill()
        piece = self._block[self._at : self._at + size]  # a whole one is not copied
        self._at += len(piece)
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
        if self._meter:
            self._meter.take(data)
        self._block, self._at = data, 0

    def drain(self) -> None:
        """Read to the end."""
        while self.read(BLOCK):
            pass


def encrypt(
    produce: Callable[[BinaryIO], Answer],
    store_file: Writable,
    recipients: Sequence[Any],
    look: Look = never,
) -> Written[Answer]:
    """Have `produce` write, and write it encrypted (age) to `store_file`. `look` is called all the
    while and stops everything by raising. Raises what went wrong first."""
    plain, stored = Meter(), Meter()
    cipher = Cipher(Direction.ENCRYPT, recipients)
    sink, target = _Sink(cipher.writer, look, plain), _Sink(store_file, meter=stored)

    def storing() -> None:
        try:
            while data := cipher.reader.read(BLOCK):
                target.write(data)
        except BaseException:
            cipher.kill()  # whoever writes must not wait for a reader that is gone
            raise

    beside = _Beside(storing)
    try:
        answer = produce(cast(BinaryIO, sink))
        cipher.writer.close()
        beside.join()
        cipher.finish()
    except BaseException:
        cipher.kill()
        beside.join()
        if target.error is not None:  # that is why the producer could not write
            raise target.error from None
        if sink.error is not None and not isinstance(sink.error, BrokenPipeError):
            raise sink.error from None  # what `look` said, in whatever words it came back
        raise
    finally:
        cipher.close()
    return Written(plain.read(), stored.read(), answer)


def measure_plain(
    open_stored: Callable[[], BinaryIO], identities: Sequence[Any], look: Look = never
) -> Measure:
    """Decrypt what `open_stored` opens to its end. Raises `Invalid` when it is damaged or no key
    opens it."""
    meter = Meter()
    reading = _Pass(open_stored(), identities, look, meter)
    try:
        reading.finish()
    except BaseException:
        reading.abandon()
        raise
    return meter.read()


def measure(stored: BinaryIO, look: Look = never) -> Measure:
    """Read to the end."""
    meter = Meter()
    source = _Source(stored, look, meter)
    source.drain()
    return meter.read()


def refuse_unopenable(stored: BinaryIO, identities: Sequence[Any]) -> None:
    """Raise `Invalid` when no key opens `stored`, after its first block."""
    with closing(_Decryption(stored, identities)) as opened:
        opened.read(1)


def consume(
    open_stored: Callable[[], BinaryIO],
    take: Callable[[BinaryIO], Answer],
    identities: Sequence[Any],
    look: Look = never,
    expected: Measure | None = None,
) -> Answer:
    """Decrypt what `open_stored` opens and have `take` read it, who may go back to its beginning:
    then it is opened and decrypted anew. Raises `Invalid` when it is damaged, also in the middle,
    or is not what is `expected`: once all of it was read, when `take` goes back or has ended."""
    source = _Rewinding(open_stored, identities, look, expected)
    try:
        answer = take(cast(BinaryIO, io.BufferedReader(source, BLOCK)))
        source.finish()
    except BaseException:
        source.present.abandon()
        raise
    return answer


class _Decryption(io.RawIOBase):
    """What `source` holds, decrypted. Its end is told only after all was found whole."""

    def __init__(self, source: BinaryIO, identities: Sequence[Any]) -> None:
        super().__init__()
        self._source = source
        file = _number_of(source)
        self._cipher = Cipher(Direction.DECRYPT, identities, file)
        self._beside = _Beside(self._feed if file is None else self._cipher.writer.close)

    def _feed(self) -> None:
        target = _Sink(self._cipher.writer)
        try:
            with suppress(BrokenPipeError):  # it has failed, or is not wanted: who reads knows
                while data := self._source.read(BLOCK):
                    target.write(data)
        finally:
            self._cipher.writer.close()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._cipher.reader.read(-1 if size is None else size)
        if not data:
            self._beside.join()
            self._cipher.finish()
        return data

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._cipher.kill()
            self._beside.wait()
            self._cipher.close()


def _number_of(source: BinaryIO) -> int | None:
    """Of an open file on a disk, which needs no thread that passes it on."""
    try:
        number = source.fileno()
    except (AttributeError, OSError):
        return None
    return number if stat.S_ISREG(os.fstat(number).st_mode) else None


class _Pass:
    """One decryption from the beginning, to be read by `given`; `meter` measures what comes out."""

    def __init__(
        self, stored: BinaryIO, identities: Sequence[Any], look: Look, meter: Meter | None
    ) -> None:
        self._stored = stored
        self._decryption = _Decryption(stored, identities)
        self.given = _Source(cast(BinaryIO, self._decryption), look, meter)

    def finish(self) -> None:
        """Read to the end, where age has seen that nothing is damaged or missing."""
        self.given.drain()
        self._close()

    def abandon(self) -> None:
        """Stop. Raises what broke the pass, if that came before whatever else did."""
        self._close()
        if self.given.error is not None:
            raise self.given.error

    def _close(self) -> None:
        self._decryption.close()
        self._stored.close()


class _Rewinding(io.RawIOBase):
    """Reads pass after pass: it can go back to its beginning and nowhere else. The first pass that
    comes to its end is held against what is `expected`; after it, nothing is hashed again."""

    def __init__(
        self,
        open_stored: Callable[[], BinaryIO],
        identities: Sequence[Any],
        look: Look,
        expected: Measure | None,
    ) -> None:
        super().__init__()
        self._open_stored, self._identities, self._look = open_stored, identities, look
        self._expected = expected
        self._begin()

    def _begin(self) -> None:
        self._at, self._is_at_end = 0, False
        self._meter = Meter() if self._expected else None
        self.present = _Pass(self._open_stored(), self._identities, self._look, self._meter)

    def finish(self) -> None:
        """Read to the end. Raises `Invalid` when it was not what is expected."""
        self.present.finish()
        if self._meter and self._meter.read() != self._expected:
            raise Invalid(DAMAGED)
        self._expected = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        count = self.present.given.readinto(buffer)
        self._at += count
        self._is_at_end = not count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._at):
            raise io.UnsupportedOperation("what is decrypted can only be read from its beginning")
        if offset != self._at:
            if self._is_at_end:
                self.finish()
            else:
                self.present.abandon()
            self._begin()
        return offset


class _Beside:
    """A thread whose error is kept for whoever waits for it."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - raised again by `join`
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def join(self) -> None:
        """Wait, and raise what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
