"""What an environment's containers print, for its page and the live tail (G1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.environments.models import Environment
from app.logs.queries import log_store
from app.logs.store import Piece
from app.web.streams import Event

LINES_SHOWN = 1000  # "last 1000 lines", G1


def runtime_tail(environment: Environment) -> Piece:
    """The last thousand lines, and the position behind them."""
    return log_store().runtime(environment.uuid).tail(LINES_SHOWN)


def runtime_events(environment_uuid: str, position: int) -> Callable[[], Iterator[Event]]:
    """What is written from `position` on, a few pieces at each call."""
    log = log_store().runtime(environment_uuid)
    place = position

    def poll() -> Iterator[Event]:
        nonlocal place
        for _ in range(20):
            piece = log.read(place)
            if not piece.text:
                return
            place = piece.position
            yield Event("log", piece.text, str(place))

    return poll
