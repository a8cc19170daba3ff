"""The log of one deployment as the pipeline writes it: masked, bounded, seen live."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from app.logs.masking import LineMasker
from app.logs.store import ChunkedLog

WRITE_SECONDS = 0.2
WRITE_BYTES = 64 * 1024
LINE_LENGTH = 4096


class DeploymentLog:
    """Collects lines and writes them a few times a second: a build may print 200 MB."""

    def __init__(self, log: ChunkedLog, secrets: list[str]) -> None:
        self._log = log
        self._secrets = list(secrets)
        self._masker = LineMasker(secrets, LINE_LENGTH)
        self._waiting: list[str] = []
        self._size = 0
        self._written_at = 0.0
        self._lock = threading.Lock()

    def masked(self, text: str) -> str:
        """`text` as it may be shown, e.g. a sentence that quotes a command."""
        return self._masker.mask(text)

    def mask_too(self, secrets: Iterable[str]) -> None:
        """From now on mask these as well: credentials that the deployment itself has made."""
        self._secrets = list(dict.fromkeys([*self._secrets, *secrets]))
        self._masker = LineMasker(self._secrets, LINE_LENGTH)

    def heading(self, title: str) -> None:
        """A section, as the platform prints them: `===== docker build =====`."""
        self.line(f"===== {title} =====")
        self.flush()

    def line(self, text: str) -> None:
        """One line; of a very long one the beginning."""
        cut = self._masker.line(text)
        if cut is None:
            return
        with self._lock:
            is_first = not self._waiting
            self._waiting.append(cut)
            self._size += len(cut) + 1
        is_due = time.monotonic() - self._written_at > WRITE_SECONDS
        if is_due or self._size > WRITE_BYTES:
            self.flush()
        elif is_first:
            self._flush_soon()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._written_at = time.monotonic()
            if lines:
                self._log.append("\n".join(lines) + "\n")

    def _flush_soon(self) -> None:
        """Nobody knows when the next line comes: a build step may be silent for minutes."""
        timer = threading.Timer(WRITE_SECONDS, self.flush)
        timer.daemon = True
        timer.start()

    def tail(self, lines: int = 200) -> str:
        """The last lines written, for the diagnosis."""
        self.flush()
        return self._log.tail(lines).text
