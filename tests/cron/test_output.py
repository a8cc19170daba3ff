"""What is kept of what a run printed: the beginning and the end, and nowhere a secret."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import cast

from app.adapters.engine import Engine, LogLine
from app.adapters.lines import LONGEST_LINE
from app.cron.output import CUT, HEAD_BYTES, TAIL_BYTES, RunLog
from app.logs.store import CHUNK_BYTES, ChunkedLog

START = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
SECRET = "the-secret-of-this-site"


class Printed:
    """Stands for the engine: what a container has printed, a line each millisecond."""

    def __init__(self, texts: list[str], is_one_moment: bool = False) -> None:
        step = datetime.timedelta(milliseconds=0 if is_one_moment else 1)
        self.lines = [
            LogLine(START + number * step, "stdout", text) for number, text in enumerate(texts)
        ]

    def tail_logs(self, name: str, lines: int) -> list[LogLine]:
        return self.lines[-lines:]


def kept(printed: Printed, folder: Path) -> str:
    """All that its log holds at the end."""
    chunks = ChunkedLog(folder / "log", CHUNK_BYTES, CHUNK_BYTES)
    log = RunLog(chunks, (SECRET,))
    for line in printed.lines:
        log.add(line)
        if log.is_full:
            break
    log.finish(cast(Engine, printed), "run")
    return chunks.read_all()


def test_a_little_more_than_the_beginning_is_kept_whole(tmp_path: Path) -> None:
    texts = [f"{number} {'x' * 1000}" for number in range(HEAD_BYTES // 1000 + 50)]
    assert kept(Printed(texts), tmp_path).splitlines() == texts


def test_much_more_is_cut_in_the_middle_and_says_so(tmp_path: Path) -> None:
    texts = [f"{number} {'x' * 60}" for number in range(100_000)]
    lines = kept(Printed(texts), tmp_path).splitlines()
    assert lines.count(CUT) == 1 and lines[0] == texts[0] and lines[-1] == texts[-1]
    assert sum(map(len, lines)) < HEAD_BYTES + TAIL_BYTES


def test_one_endless_line_is_its_beginning(tmp_path: Path) -> None:
    """Its pieces all bear the moment of the first one, as Docker has it."""
    texts = [*(["x" * LONGEST_LINE] * 300), "x" * 9, "the end"]
    printed = Printed(texts, is_one_moment=True)
    printed.lines[-1] = LogLine(START + datetime.timedelta(1), "stdout", "the end")
    lines = kept(printed, tmp_path).splitlines()
    assert next(len(line) for line in lines) < 5000 and lines[1:] == [CUT, "the end"]


def test_a_secret_that_a_border_cuts_in_two_is_not_kept(tmp_path: Path) -> None:
    """Wherever the end of a noisy log begins, half a line is none."""
    half = len(SECRET) // 2
    one = "y" * (LONGEST_LINE - half) + SECRET[:half]
    texts = ["start", *([one, f"{SECRET[half:]} and more"] * 400), f"token={SECRET}", "the end"]
    text = kept(Printed(texts), tmp_path)
    assert SECRET[half:] not in text and SECRET not in text and "token=••••••••" in text
    assert text.endswith("the end\n")
