"""Where a change becomes durable. Operations change objects; only an edge opens a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.extensions import db

_WRITES = "unit_of_work"
_AFTER = "after_commit"


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Commit what happens inside, or nothing of it.

    Ends the reading that came before, so that what was loaded is read again under the write lock.
    What was handed to `after_commit` runs once the data is safe, and not at all after an error.
    Raises RuntimeError when opened inside another one.
    """
    session = db.session()
    if session.info.get(_WRITES):
        raise RuntimeError("a unit of work is open already")
    session.commit()
    session.info[_WRITES] = True
    session.info[_AFTER] = []
    try:
        session.connection(execution_options={"writes": True})
        yield
        session.commit()
    except BaseException:
        session.rollback()
        session.info[_AFTER] = []
        raise
    finally:
        session.info[_WRITES] = False
    for action in session.info.pop(_AFTER):
        action()


def after_commit(action: Callable[[], object]) -> None:
    """Run `action` when the present unit of work is safe, e.g. to enqueue a job."""
    db.session().info[_AFTER].append(action)


@event.listens_for(Session, "before_flush")
def _only_inside_a_unit(session: Session, context: object, instances: object) -> None:
    """A write outside a unit of work is a mistake that SQLite would punish at random."""
    if session.info.get(_WRITES):
        return
    if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
        raise RuntimeError("changes are written inside unit_of_work() only")
