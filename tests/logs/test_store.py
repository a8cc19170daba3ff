"""Logs: positions that stay, characters that stay whole, and a middle that is cut with a word."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.logs.store import CHUNK_BYTES, ChunkedLog, LogStore

MEGABYTE = 1024**2


def make(directory: Path, head: int = 5 * MEGABYTE, tail: int = 15 * MEGABYTE) -> ChunkedLog:
    return ChunkedLog(directory / "log", head, tail)


def read_on(log: ChunkedLog, position: int = 0, limit: int = 256 * 1024) -> str:
    """What a reader sees that comes back until there is nothing new."""
    parts: list[str] = []
    while (piece := log.read(position, limit)).text:
        assert piece.position > position
        parts.append(piece.text)
        position = piece.position
    return "".join(parts)


def test_an_empty_log_is_empty(tmp_path: Path) -> None:
    log = make(tmp_path)
    assert (log.read(0).text, log.read(99).position, log.tail(5).text) == ("", 99, "")
    assert (log.end(), log.size(), log.read_all()) == (0, 0, "")
    log.delete()


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("one\n")
    first = log.read(0)
    assert log.read(first.position).text == ""
    log.append("two\n")
    assert log.read(first.position).text == "two\n"
    assert log.end() == 8


def test_another_process_reads_the_same(tmp_path: Path) -> None:
    make(tmp_path).append("one\n")
    make(tmp_path).append("two\n")
    assert make(tmp_path).read_all() == "one\ntwo\n"


def test_characters_at_the_border_of_a_chunk_stay_whole(tmp_path: Path) -> None:
    for shift in range(5):
        log = make(tmp_path / str(shift))
        text = "x" * (CHUNK_BYTES - shift) + "🌙 und Käse\n"
        log.append(text)
        assert len(list(log.directory.iterdir())) == 2
        assert log.read_all() == text
        assert read_on(log, limit=1000) == text


def test_a_character_written_and_read_across_a_border(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("x" * (CHUNK_BYTES - 1))
    position = log.end()
    log.append("ä")
    log.append("b")
    assert read_on(log, position) == "äb"


@settings(max_examples=60)
@given(
    pieces=st.lists(st.text(alphabet="aé月🌙\n", max_size=30), max_size=20),
    limit=st.integers(4, 40),
)
def test_whatever_is_written_is_read(pieces: list[str], limit: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = make(Path(directory))
        for piece in pieces:
            log.append(piece)
        whole = "".join(pieces)
        assert read_on(log, limit=limit) == log.read_all() == whole
        assert log.end() == log.size() == len(whole.encode())
        assert log.tail(3).text == "".join(whole.splitlines(keepends=True)[-3:])


def test_the_middle_is_cut_and_a_line_says_so(tmp_path: Path) -> None:
    log = LogStore(tmp_path, 20 * MEGABYTE, MEGABYTE).deployment("ab" * 16)
    line = "é" * 499 + "\n"
    count = 40 * MEGABYTE // len(line.encode())
    for start in range(0, count, 1000):
        log.append("".join(f"{n:07d}{line}" for n in range(start, min(start + 1000, count))))
    assert log.size() <= 20 * MEGABYTE + 100
    text = log.read_all()
    assert "�" not in text
    notice = re.search(r"… (\d+) bytes were cut here …\n", text)
    assert notice and int(notice[1]) + log.size() == log.end()
    before, after = text.split(notice[0])
    assert before.startswith("0000000") and 5 * MEGABYTE <= len(before.encode()) <= 6 * MEGABYTE
    assert f"{count - 1:07d}" in after[-len(line) - 10 :]
    assert len(after.encode()) >= 13 * MEGABYTE


def test_a_runtime_log_keeps_its_end(tmp_path: Path) -> None:
    log = LogStore(tmp_path, MEGABYTE, 3 * MEGABYTE).runtime("ab" * 16)
    for number in range(100):
        log.append(f"{number:04d}" + "x" * 99_995 + "\n")
    assert log.size() <= 3 * MEGABYTE + 100
    assert log.read(0).text.startswith("… ") and log.tail(1).text.startswith("0099")


def test_a_reader_behind_the_cut_goes_on_after_it(tmp_path: Path) -> None:
    log = make(tmp_path, head=0, tail=2 * MEGABYTE)
    log.append("first line\n")
    position = log.read(0).position
    log.append("y" * (4 * MEGABYTE))
    piece = log.read(position)
    assert "bytes were cut here" in piece.text and log.read(piece.position).text.startswith("y")


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("".join(f"line {n}\n" for n in range(5000)))
    tail = log.tail(2)
    assert (tail.text, tail.position) == ("line 4998\nline 4999\n", log.end())
    assert "�" not in log.tail(10, limit=7).text


def test_a_tail_never_begins_inside_a_character(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("🌙" * 100)
    for limit in range(4, 12):
        assert set(log.tail(5, limit=limit).text) == {"🌙"}


def test_what_is_no_text_is_kept_as_well_as_it_can_be(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("lone \ud800 surrogate\n")
    assert log.read_all() == "lone ? surrogate\n"


def test_a_deleted_log_is_gone(tmp_path: Path) -> None:
    log = make(tmp_path)
    log.append("x")
    log.delete()
    assert not log.directory.exists() and log.read_all() == ""
