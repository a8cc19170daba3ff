"""How many questions one package may have under way: one that hangs must not take them all."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

SAME_AT_ONCE = 2
HANGING_SECONDS = 1.0
"""An ordinary question takes a tenth of it: who is not done by then may not be waited for."""


class Turns:
    """For the threads of one process."""

    def __init__(self, at_once: int = SAME_AT_ONCE, hanging: float = HANGING_SECONDS) -> None:
        self._at_once, self._hanging = at_once, hanging
        self._changed = threading.Condition()
        self._begun: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def take(self, whose: str) -> Iterator[bool]:
        """Whether it is their turn: False when as many of `whose` as may be are under way, and all
        of them hang. Waits for those that may still end soon."""
        with self._changed:
            is_theirs = self._wait(whose)
            began = time.monotonic()
            if is_theirs:
                self._begun[whose].append(began)
        try:
            yield is_theirs
        finally:
            if is_theirs:
                with self._changed:
                    self._begun[whose].remove(began)
                    if not self._begun[whose]:
                        del self._begun[whose]
                    self._changed.notify_all()

    def _wait(self, whose: str) -> bool:
        until = time.monotonic() + self._hanging
        while len(self._begun.get(whose, ())) >= self._at_once:
            now = time.monotonic()
            left = min(until, max(self._begun[whose]) + self._hanging) - now
            if left <= 0:
                return False
            self._changed.wait(left)
        return True
