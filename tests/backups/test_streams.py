"""The pipe of a backup: whole, in order, with flat memory, and loud about whatever breaks."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyrage
import pytest

from app.backups import streams
from app.backups.measuring import Measure
from app.errors import Invalid, Unavailable

KEY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
DATA = random.Random(5).randbytes(3 * 1024**2 + 17)


def written(data: bytes = DATA) -> tuple[bytes, streams.Written[str]]:
    """What the store holds of `data`."""
    target = io.BytesIO()

    def produce(sink: BinaryIO) -> str:
        for start in range(0, len(data), 70_001):
            sink.write(data[start : start + 70_001])
        return "done"

    found = streams.encrypt(produce, target, [KEY.to_public()])
    return target.getvalue(), found


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_what_goes_in_comes_out(data: bytes) -> None:
    stored, found = written(data)
    assert found.answer == "done"
    assert found.plain == Measure(len(data), hashlib.sha256(data).hexdigest())
    assert found.stored == Measure(len(stored), hashlib.sha256(stored).hexdigest())
    assert DATA[:64] not in stored
    seen = streams.consume(
        lambda: io.BytesIO(stored), lambda source: source.read(), [OTHER, KEY], expected=found.plain
    )
    assert seen == data
    assert streams.measure_plain(lambda: io.BytesIO(stored), [KEY]) == found.plain
    assert streams.measure(io.BytesIO(stored)) == found.stored


def test_what_is_left_unread_is_measured_too() -> None:
    stored, found = written()

    def consume(expected: Measure) -> bytes:
        return streams.consume(
            lambda: io.BytesIO(stored), lambda source: source.read(10), [KEY], expected=expected
        )

    assert consume(found.plain) == DATA[:10]
    for other in (Measure(len(DATA), "0" * 64), Measure(len(DATA) + 1, found.plain.sha256)):
        with pytest.raises(Invalid, match="damaged"):
            consume(other)


def test_what_is_not_expected_is_said_before_it_is_read_again() -> None:
    stored, found = written()
    passes: list[bytes] = []

    def take(source: BinaryIO) -> None:
        for _ in range(3):
            source.seek(0)
            passes.append(source.read())

    with pytest.raises(Invalid, match="damaged"):
        streams.consume(
            lambda: io.BytesIO(stored), take, [KEY], expected=Measure(len(DATA), "0" * 64)
        )
    assert passes == [DATA]
    streams.consume(lambda: io.BytesIO(stored), take, [KEY], expected=found.plain)
    assert passes == 4 * [DATA]


def test_who_reads_may_begin_again(tmp_path: Path) -> None:
    stored, found = written()

    def take(source: BinaryIO) -> bytes:
        assert source.seekable() and source.tell() == 0
        assert source.read(len(DATA) // 2) == DATA[: len(DATA) // 2]
        source.seek(0)
        assert source.read() == DATA
        assert source.tell() == len(DATA)
        with pytest.raises(io.UnsupportedOperation):
            source.seek(5_000_000)
        source.seek(0)
        return source.read(10)

    file = tmp_path / "stored"
    file.write_bytes(stored)
    for opened in (lambda: io.BytesIO(stored), lambda: file.open("rb")):
        assert streams.consume(opened, take, [KEY], expected=found.plain) == DATA[:10]


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0], ids=["header", "middle", "end"])
def test_a_damaged_or_cut_file_is_refused(at: float, tmp_path: Path) -> None:
    stored, _ = written()
    file = tmp_path / "stored"
    place = int(at * (len(stored) - 1))
    damaged = stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]
    for bad in (damaged, stored[:place]):
        file.write_bytes(bad)
        with pytest.raises(Invalid):
            streams.consume(lambda: file.open("rb"), lambda source: source.read(), [KEY])
        with pytest.raises(Invalid):
            streams.consume(partial(io.BytesIO, bad), lambda source: source.read(), [KEY])
        with pytest.raises(Invalid):
            streams.measure_plain(partial(io.BytesIO, bad), [KEY])


def test_a_reader_of_a_cut_file_never_takes_the_beginning_for_all() -> None:
    stored, _ = written()
    seen: list[bytes] = []

    def take(source: BinaryIO) -> None:
        while piece := source.read(4096):
            seen.append(piece)
        seen.append(b"the end")

    with pytest.raises(Invalid):
        streams.consume(lambda: io.BytesIO(stored[: len(stored) // 2]), take, [KEY])
    assert seen and seen[-1] != b"the end"


def test_another_key_opens_nothing() -> None:
    stored, _ = written()
    with pytest.raises(Invalid, match="key"):
        streams.measure_plain(lambda: io.BytesIO(stored), [OTHER])


def test_a_producer_that_fails_is_heard() -> None:
    def produce(sink: BinaryIO) -> None:
        sink.write(DATA)
        raise Unavailable("The database went away.")

    with pytest.raises(Unavailable, match="went away"):
        streams.encrypt(produce, io.BytesIO(), [KEY.to_public()])


class Full(io.BytesIO):
    """A disk with no room left."""

    def write(self, data: object, /) -> int:
        raise Unavailable("The disk is full.")


def test_a_store_that_fails_is_heard_whatever_the_producer_says() -> None:
    def produce(sink: BinaryIO) -> None:
        try:
            for _ in range(20):
                sink.write(DATA)
        except OSError as error:
            raise Unavailable("The server hung up.") from error

    with pytest.raises(Unavailable, match="disk is full"):
        streams.encrypt(produce, Full(), [KEY.to_public()])


def test_a_taker_that_fails_is_heard() -> None:
    stored, _ = written()

    def take(source: BinaryIO) -> None:
        source.read(10)
        raise Invalid("This is a dump of another engine.")

    with pytest.raises(Invalid, match="another engine"):
        streams.consume(lambda: io.BytesIO(stored), take, [KEY])


def test_whoever_looks_may_stop_it() -> None:
    class Stop(Exception):
        pass

    def look() -> None:
        raise Stop

    with pytest.raises(Stop):
        streams.encrypt(lambda sink: sink.write(DATA), io.BytesIO(), [KEY.to_public()], look)
    stored, _ = written()
    with pytest.raises(Stop):
        streams.consume(lambda: io.BytesIO(stored), lambda source: source.read(), [KEY], look)


def kill_cipher() -> None:
    words = ["pkill", "-9", "-P", str(os.getpid()), "-x", "age"]
    subprocess.run(words, check=True)


def test_a_killed_cipher_is_never_an_end() -> None:
    def produce(sink: BinaryIO) -> None:
        sink.write(DATA)
        kill_cipher()

    def take(source: BinaryIO) -> bytes:
        first = source.read(10)
        kill_cipher()
        return first + source.read()

    with pytest.raises((RuntimeError, BrokenPipeError)):
        streams.encrypt(produce, io.BytesIO(), [KEY.to_public()])
    stored, _ = written(DATA * 3)
    with pytest.raises(RuntimeError):
        streams.consume(lambda: io.BytesIO(stored), take, [KEY])


def test_nothing_is_left_of_a_cipher() -> None:
    def open_ends() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    written()
    before = open_ends()
    stored, _ = written()
    with pytest.raises(Invalid):
        streams.consume(lambda: io.BytesIO(stored[:-1]), lambda source: source.read(), [KEY])
    streams.refuse_unopenable(io.BytesIO(stored), [KEY])
    assert open_ends() == before
    words = ["pgrep", "-P", str(os.getpid()), "-x", "age"]
    assert subprocess.run(words, stdout=subprocess.PIPE, check=False).stdout == b""


MEMORY = """
    import sys
    from pathlib import Path
    import pyrage
    from app.backups import streams

    megabytes, path = int(sys.argv[1]), Path(sys.argv[2])
    key = pyrage.x25519.Identity.generate()
    block = bytes(range(256)) * 4096

    def produce(sink):
        for _ in range(megabytes):
            sink.write(block)

    def take(source):
        while source.read(65536):
            pass

    with path.open("wb", buffering=0) as file:
        streams.encrypt(produce, file, [key.to_public()])
    streams.measure_plain(lambda: path.open("rb", buffering=0), [key])
    streams.consume(lambda: path.open("rb", buffering=0), take, [key])
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""


def peak(megabytes: int, folder: Path) -> int:
    """Kilobytes that a process of its own held at most."""
    words = [sys.executable, "-c", textwrap.dedent(MEMORY), str(megabytes), str(folder / "x.age")]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_memory_stays_flat(tmp_path: Path) -> None:
    assert peak(120, tmp_path) < peak(10, tmp_path) + 2048


def test_age_itself_could_open_it(tmp_path: Path) -> None:
    """The format is age's own: its header, and what the library's plain call opens."""
    stored, _ = written()
    assert stored.startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert pyrage.decrypt(stored, [KEY]) == DATA
