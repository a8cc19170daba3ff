"""Lines out of bytes, whatever the chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.engine.answers import log_lines, moment
from app.adapters.lines import LONGEST_LINE, LineCutter


@given(st.binary(max_size=400), st.integers(1, 50))
def test_chunk_borders_do_not_show(data: bytes, size: int) -> None:
    whole, chunked = LineCutter(), LineCutter()
    expected = whole.feed(data) + whole.finish()
    got = [line for at in range(0, len(data), size) for line in chunked.feed(data[at : at + size])]
    assert got + chunked.finish() == expected
    assert all("\n" not in line for line in expected)


def test_a_line_without_end_is_cut() -> None:
    cutter = LineCutter()
    pieces = [line for _ in range(100) for line in cutter.feed(b"x" * 50_000)] + cutter.finish()
    assert max(map(len, pieces)) == LONGEST_LINE
    assert sum(map(len, pieces)) == 5_000_000


def test_log_frames_with_a_character_in_two_halves() -> None:
    stamp = b"2026-01-02T03:04:05.123456789Z "
    check = "✓".encode()
    parts = [(1, b"a" + check[:1]), (2, b"err\n"), (1, check[1:] + b"b\n")]
    body = b"".join(
        bytes([stream, 0, 0, 0]) + (len(stamp + text)).to_bytes(4, "big") + stamp + text
        for stream, text in parts
    )
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        chunk = body[position : position + min(count, 5)]  # sockets give less than asked
        position += len(chunk)
        return chunk

    lines = list(log_lines(read))
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "a"),
        ("stderr", "err"),
        ("stdout", "✓b"),
    ]
    assert {line.at for line in lines} == {moment("2026-01-02T03:04:05.123456Z")}
