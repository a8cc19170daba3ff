"""What a run prints, as it is kept: masked, the beginning and the end, however much there was."""

from __future__ import annotations

import datetime
import logging
from dataclasses import replace

from app.adapters.engine import Engine, LogLine
from app.adapters.lines import LONGEST_LINE
from app.deployments.deployment_log import DeploymentLog
from app.logs.store import ChunkedLog

logger = logging.getLogger(__name__)

HEAD_BYTES = 512 * 1024
TAIL_BYTES = 480 * 1024
"""Together less than one chunk of a log, with room for what the panel says in between."""
FEW_LINES = 200
MOST_LINES = 5000
CUT = "--- More was printed here than is kept. What follows is the end. ---"


class RunLog:
    """The log of one run. `is_full` says that the beginning is kept and following may stop: from
    then on a noisy command costs nothing. Its end is read from the engine when it is over.

    A log that cannot be written, e.g. on a full disk, is no reason to lose sight of the run.
    """

    def __init__(self, log: ChunkedLog, secrets: tuple[str, ...]) -> None:
        self._log, self._secrets = log, list(secrets)
        self._lines = DeploymentLog(log, self._secrets)
        self._size = 0
        self._is_broken = False
        self.newest_at: datetime.datetime | None = None
        """When the last line that is in was printed: a stream that broke off goes on there."""
        self._seen_until: datetime.datetime | None = None

    @property
    def is_full(self) -> bool:
        return self._is_broken or self._size >= HEAD_BYTES

    def begin_anew(self) -> None:
        """Forget what another runner wrote: it is all read again."""
        self._log.delete()

    def resume(self) -> None:
        """The same stream is read once more: what was printed up to now is in already."""
        self._seen_until = self.newest_at

    def add(self, line: LogLine) -> None:
        """Keep a line of the beginning."""
        if self.is_full or (self._seen_until is not None and line.at <= self._seen_until):
            return
        self._size += _size_of(line)
        self.newest_at = line.at
        self._write(line.text)

    def finish(self, engine: Engine, container: str) -> None:
        """Write what waits, and the end of a container that has ended and printed too much."""
        try:
            if self.is_full and not self._is_broken:
                self._add_end(engine, container)
            self._lines.flush()
        except OSError as error:
            logger.warning("the output of %s cannot be kept: %s", container, error)

    def _add_end(self, engine: Engine, container: str) -> None:
        lines = engine.tail_logs(container, FEW_LINES)
        if not lines:
            return
        size = sum(map(_size_of, lines))
        if size < TAIL_BYTES and len(lines) == FEW_LINES:
            lines = engine.tail_logs(container, min(MOST_LINES, TAIL_BYTES * FEW_LINES // size))
        newest = self.newest_at
        if newest is not None and any(line.at < newest for line in lines):
            kept = [line for line in lines if line.at > newest]  # nothing lies in between
            if sum(map(_size_of, kept)) <= TAIL_BYTES:
                self._write_all(kept)
                return
        self._lines.flush()
        self._lines = DeploymentLog(self._log, self._secrets)
        self._write_all([replace(lines[-1], text=CUT), *_whole_lines(_end_of(lines))])

    def _write_all(self, lines: list[LogLine]) -> None:
        for line in lines:
            self._write(line.text)

    def _write(self, text: str) -> None:
        try:
            self._lines.line(text)
        except OSError as error:
            self._is_broken = True
            logger.warning("the output of a run cannot be kept: %s", error)


def _end_of(lines: list[LogLine]) -> list[LogLine]:
    """The last ones that fit."""
    room, kept = TAIL_BYTES, 0
    for line in reversed(lines):
        room -= _size_of(line)
        if room < 0:
            break
        kept += 1
    return lines[len(lines) - kept :]


def _whole_lines(pieces: list[LogLine]) -> list[LogLine]:
    """Without what may only continue a line: a secret may have been cut in two at its border."""
    start = 1
    while start < len(pieces) and len(pieces[start - 1].text) >= LONGEST_LINE:
        start += 1
    return pieces[start:]


def _size_of(line: LogLine) -> int:
    return len(line.text.encode(errors="replace")) + 1
