"""What every recovery does first: give the living the time to say that they live."""

from __future__ import annotations

import time

from app.installation import installation
from app.transactions import unit_of_work

TURNS_SECONDS = 1.0
"""SQLite lets who waits for its lock try every 0.1 s, in no order."""


def let_heartbeats_through() -> None:
    """A locked database silences living workers too. Once it can be written, which this proves,
    they get the time of one heartbeat, and at least that in which everybody who waits for SQLite's
    lock has had several tries. Whose heartbeat is still old afterwards is lost."""
    with unit_of_work():
        pass
    time.sleep(max(installation().settings.times.heartbeat, TURNS_SECONDS))
