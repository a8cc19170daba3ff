"""What an environment's containers print, for its page and the live tail (G1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from app.environments.models import Environment
from app.logs.queries import log_store
from app.logs.store import Piece
from app.web.streams import Event

LINES_SHOWN = 1000  # "last 1000 lines", G1
LINES_SEARCHED = 20 * LINES_SHOWN
SEARCHED_BYTES = 4 * 1024**2
"""How far back lines of one process are looked for."""
WEB = "web"


def runtime_tail(environment: Environment, process: str = "") -> Piece:
    """The last thousand lines, of one process if it is named, and the position behind them."""
    log = log_store().runtime(environment.uuid)
    if not process:
        return log.tail(LINES_SHOWN)
    piece = log.tail(LINES_SEARCHED, SEARCHED_BYTES)
    lines = only(piece.text, process).splitlines(keepends=True)
    return Piece("".join(lines[-LINES_SHOWN:]), piece.position)


def runtime_events(
    environment_uuid: str, position: int, process: str = ""
) -> Callable[[], Iterator[Event]]:
    """What is written from `position` on, a few pieces at each call."""
    log = log_store().runtime(environment_uuid)
    place = position

    def poll() -> Iterator[Event]:
        nonlocal place
        for _ in range(20):
            piece = log.read(place)
            if not piece.text:
                return
            text, rest = piece.text, ""
            if process:  # a line that is cut in two is not judged by its halves
                text, newline, rest = piece.text.rpartition("\n")
                text = only(text + newline, process)
                if not newline:
                    return
            place = piece.position - len(rest.encode())
            if text:
                yield Event("log", text, str(place))

    return poll


def only(text: str, process: str) -> str:
    """The lines that containers of `process` printed, e.g. those of `beat-1` for `beat`."""
    begins = re.compile(rf"\S+ \S+ {re.escape(process)}-\d+ \| ")
    return "".join(line for line in text.splitlines(keepends=True) if begins.match(line))
