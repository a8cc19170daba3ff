"""Server-sent events: a page that stays true by itself."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, request, stream_with_context

from app.errors import Unavailable
from app.extensions import db
from app.installation import installation

POLL_SECONDS = 0.25
PING_SECONDS = 15
ASK_AGAIN_SECONDS = 1.0
"""How long a page goes on telling somebody who was removed or signed out meanwhile."""
_EXTENSION = "moonbase-streams"
POSITION_DIGITS = 19
"""Longer numbers are no positions, and Python converts those of thousands of digits for long."""


@dataclass(frozen=True)
class Event:
    """One message. `id` comes back as Last-Event-ID when the browser connects again."""

    name: str
    data: Any
    id: str = ""

    def encoded(self) -> str:
        lines = [f"event: {self.name}", f"data: {json.dumps(self.data)}"]
        return "\n".join([*lines, f"id: {self.id}", "\n"] if self.id else [*lines, "\n"])


class _OpenStreams:
    """How many streams each person holds in this process: each costs a thread."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._lock = threading.Lock()

    def enter(self, person: int, most: int) -> None:
        with self._lock:
            if self._counts[person] >= most:
                raise Unavailable("Too many live pages are open. Close one and reload.")
            self._counts[person] += 1

    def leave(self, person: int) -> None:
        with self._lock:
            self._counts[person] -= 1


def asked_position(fallback: int) -> int:
    """Where the browser stopped: Last-Event-ID after a break, `?position=` at first."""
    text = request.headers.get("Last-Event-ID") or request.args.get("position", "")
    return int(text) if text.isdecimal() and len(text) < POSITION_DIGITS else fallback


def event_stream(
    person_id: int,
    poll: Callable[[], Iterator[Event]],
    is_over: Callable[[], bool],
    may_look: Callable[[], bool],
) -> Response:
    """Answer with what `poll` yields, asked four times a second until `is_over`, and only as long
    as the person `may_look`: a sign-in or a right that ends, ends the stream.

    The database session is given back between polls, so that a stream holds no connection. After
    some minutes the stream ends by itself; the browser connects again where it stopped.
    """
    settings = installation().settings
    open_streams: _OpenStreams = current_app.extensions.setdefault(_EXTENSION, _OpenStreams())
    open_streams.enter(person_id, settings.streams_per_person)

    def events() -> Iterator[str]:
        until = time.monotonic() + settings.times.stream
        quiet_since = asked_at = time.monotonic()
        yield "retry: 1000\n\n"
        while time.monotonic() < until:
            if time.monotonic() - asked_at >= ASK_AGAIN_SECONDS:
                asked_at = time.monotonic()
                if not may_look():
                    db.session.remove()
                    return
            over = is_over()
            for event in poll():
                quiet_since = time.monotonic()
                db.session.remove()  # a client that does not read may halt us at this yield
                yield event.encoded()
            db.session.remove()
            if over:
                yield Event("end", {}).encoded()
                return
            if time.monotonic() - quiet_since > PING_SECONDS:
                quiet_since = time.monotonic()
                yield ": still here\n\n"
            time.sleep(POLL_SECONDS)

    response = Response(stream_with_context(events()), mimetype="text/event-stream")
    # Not in a `finally` above: that never runs for a stream closed before its first line (HEAD).
    response.call_on_close(lambda: open_streams.leave(person_id))
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Cache-Control"] = "no-store"
    return response
