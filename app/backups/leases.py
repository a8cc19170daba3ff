"""The lease of a backup, a restoration or a download: who holds its token may write.

A worker that is killed stops the heartbeat, and `take_over` takes the lease; one that wakes up
late finds another token and stops.
"""

from __future__ import annotations

import datetime
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine, update
from sqlalchemy.exc import SQLAlchemyError

from app.backups.models import Backup, Download, DrillInstance, Restoration, WorkStatus
from app.errors import Unavailable
from app.extensions import db, now
from app.installation import installation

logger = logging.getLogger(__name__)

LATE = "Copying took longer than {minutes:.0f} minutes, the limit of a copy."
Work = TypeVar("Work", Backup, Restoration, Download)
Held = type[Backup] | type[Restoration] | type[Download] | type[DrillInstance]


class LeaseLost(Exception):
    """Somebody else has this work now, or it was deleted: stop, and touch nothing any more."""


def take(work: Backup | Restoration | Download) -> str:
    """Begin waiting work; returns the token. Belongs into a unit of work that has locked it."""
    work.status = WorkStatus.RUNNING
    work.started_at = now()
    return renew(work)


def renew(work: Backup | Restoration | Download) -> str:
    """The lease is with whoever has the token that is returned. Belongs into a unit of work that
    has locked the row."""
    work.heartbeat_at = now()
    work.lease_token = secrets.token_hex(8)
    return work.lease_token


def lock(model: type[Work], number: int) -> Work | None:
    """The row as it is now, held until the end of the unit of work. None: it is gone."""
    return db.session.get(model, number, populate_existing=True, with_for_update=True)


def lock_held(model: type[Work], number: int, token: str) -> Work:
    """The row, for whoever holds its lease. Raises `LeaseLost`."""
    row = lock(model, number)
    if row is None or row.lease_token != token:
        raise LeaseLost
    return row


def take_over(model: type[Work], number: int) -> Work | None:
    """Take work from a worker that was silent for the time of a lease, to close it. None when it
    lives after all, or somebody was faster. Belongs into a unit of work."""
    row = lock(model, number)
    if row is None or row.status != WorkStatus.RUNNING or not is_silent(row.heartbeat_at):
        return None
    return row


def is_silent(heartbeat_at: datetime.datetime | None) -> bool:
    """Whether whoever wrote this heartbeat is taken to be lost."""
    return heartbeat_at is None or heartbeat_at < silent_before()


def silent_before() -> datetime.datetime:
    """Whoever has written no heartbeat since then is taken to be lost."""
    return now() - datetime.timedelta(seconds=installation().settings.times.lease)


@contextmanager
def holding(model: Held, number: int, token: str) -> Iterator[threading.Event]:
    """Keep the lease alive while the block runs, by a thread with a connection of its own. The
    event is set when somebody else took it."""
    stop, lost = threading.Event(), threading.Event()
    beat = installation().settings.times.heartbeat
    arguments = (db.engine, model, number, token, stop, lost, beat)
    thread = threading.Thread(target=_keep, args=arguments, daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join(timeout=30)


def _keep(
    engine: Engine,
    model: Held,
    number: int,
    token: str,
    stop: threading.Event,
    lost: threading.Event,
    beat: float,
) -> None:
    while not stop.wait(beat):
        try:
            if not _beat(engine, model, number, token):
                lost.set()
                return
        except SQLAlchemyError:
            logger.warning("the heartbeat of %s %s was not written", model.__tablename__, number)


def _beat(engine: Engine, model: Held, number: int, token: str) -> bool:
    with engine.connect().execution_options(writes=True) as connection:
        changed = connection.execute(
            update(model)
            .where(model.id == number, model.lease_token == token)
            .values(heartbeat_at=now())
        )
        connection.commit()
        return changed.rowcount == 1


def watch(lost: threading.Event, *, is_copy: bool) -> Callable[[], None]:
    """What is called while bytes flow, in any thread. It raises `LeaseLost` when the lease is, and
    `Unavailable` when a copy takes longer than it may (L5945)."""
    limit = installation().settings.times.copy
    end = time.monotonic() + limit

    def look() -> None:
        if lost.is_set():
            raise LeaseLost
        if is_copy and time.monotonic() > end:
            raise Unavailable(LATE.format(minutes=limit / 60), retry=False)

    return look
