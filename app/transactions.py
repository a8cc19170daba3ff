"""Where a change becomes durable. Operations change objects; only an edge opens a unit of work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from app.errors import Conflict
from app.extensions import Numbered, db

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Query = TypeVar("Query", bound=Callable[..., Any])
_WRITES = "unit_of_work"
_BEFORE = "before_commit"
_AFTER = "after_commit"
_ANSWERS = "answers"
UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
"""PostgreSQL's codes (its appendix A)."""
REMOVED = "Somebody else has just removed this. Reload the page."


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Commit what happens inside, or nothing of it.

    Ends the reading that came before, so that what was loaded is read again under the write lock.
    What was handed to `after_commit` runs once the data is safe, and not at all after an error.
    Raises RuntimeError when opened inside another one, and `Conflict` when somebody else made the
    same thing, or removed it, at the same moment.
    """
    session = db.session()
    if session.info.get(_WRITES):
        raise RuntimeError("a unit of work is open already")
    session.commit()
    session.info[_WRITES] = True
    session.info[_BEFORE] = {}
    session.info[_AFTER] = []
    try:
        with _races_as_conflicts():
            session.connection(execution_options={"writes": True})
            yield
            session.flush()
            for action, items in session.info[_BEFORE].items():
                action(items)
            session.commit()
    except BaseException:
        session.rollback()
        session.info[_AFTER] = []
        raise
    finally:
        session.info[_WRITES] = False
        session.info[_BEFORE] = {}
    for action in session.info.pop(_AFTER):
        action()


@contextmanager
def _races_as_conflicts() -> Iterator[None]:
    """Operations look before they write, so what fails here all the same is a race, which
    PostgreSQL lets two people run."""
    try:
        yield
    except IntegrityError as error:
        if _is_duplicate(error):
            sentence = (
                "Somebody else has just made the same. Look at it, then try again if need be."
            )
        elif _is_parted(error):
            logger.warning("a race, or a mistake of ours: %s", error.orig)
            sentence = "Somebody else has just changed what this belongs to. Reload the page."
        else:
            raise
        raise Conflict(sentence) from error
    except (ObjectDeletedError, StaleDataError) as error:
        raise Conflict(REMOVED) from error
    except InvalidRequestError as error:
        # Raised for much else: this is what `refresh` says when the row went while its lock was
        # waited for.
        if not str(error).startswith("Could not refresh instance"):
            raise
        raise Conflict(REMOVED) from error


def _is_duplicate(error: IntegrityError) -> bool:
    """Whether a second row of the same kind was refused; other violations are mistakes of ours."""
    codes = (getattr(error.orig, "sqlstate", ""), getattr(error.orig, "sqlite_errorname", ""))
    return codes[0] == UNIQUE_VIOLATION or codes[1] == "SQLITE_CONSTRAINT_UNIQUE"


def _is_parted(error: IntegrityError) -> bool:
    """Whether a row was to refer to one that somebody else has just removed, or one was to be
    removed to which somebody else has just referred. On SQLite nobody else writes meanwhile: there
    it is a mistake of ours."""
    return getattr(error.orig, "sqlstate", "") == FOREIGN_KEY_VIOLATION


def end_reading() -> None:
    """Let go of the database before something slow: what was loaded is read again afterwards.

    Raises RuntimeError inside a unit of work, which would keep everybody else from writing.
    """
    session = db.session()
    if session.info.get(_WRITES):
        raise RuntimeError("this takes too long for a unit of work")
    session.commit()


def once_a_reading(query: Query) -> Query:
    """Have `query` asked once for the same arguments until the present reading ends, however many
    parts of a page ask. Within a unit of work it is asked each time: there, things change.

    The arguments are numbers, words, rows, or sequences of these; the answer must not be changed
    by whoever gets it.
    """

    @wraps(query)
    def ask(*arguments: Any) -> Any:
        session = db.session()
        if session.info.get(_WRITES):
            return query(*arguments)
        answers = session.info.setdefault(_ANSWERS, {})
        key = (query.__module__, query.__qualname__, *map(_stands_for, arguments))
        if key not in answers:
            answers[key] = query(*arguments)
        return answers[key]

    return cast(Query, ask)


def _stands_for(argument: object) -> Hashable:
    """What tells one argument from another; of a row its number."""
    if isinstance(argument, Numbered):
        return type(argument).__name__, argument.id
    if isinstance(argument, list | tuple):
        return tuple(map(_stands_for, argument))
    if not isinstance(argument, Hashable):
        raise TypeError(f"{type(argument).__name__} cannot stand for a question")
    return argument


@event.listens_for(Session, "after_transaction_end")
def _forget_answers(session: Session, transaction: SessionTransaction) -> None:
    """The next reading may find something else."""
    if transaction.parent is None:
        session.info.pop(_ANSWERS, None)


def after_commit(action: Callable[[], object]) -> None:
    """Run `action` when the present unit of work is safe, e.g. to enqueue a job."""
    db.session().info[_AFTER].append(action)


def before_commit(action: Callable[[list[Item]], object], item: Item) -> None:
    """Hand `item`, with all others for `action`, to it as the last writing of the present unit of
    work: what it locks is held for a moment only, and after all else, so that two units cannot
    wait for each other.

    Raises RuntimeError outside of a unit of work.
    """
    session = db.session()
    if not session.info.get(_WRITES):
        raise RuntimeError("changes are written inside unit_of_work() only")
    session.info[_BEFORE].setdefault(action, []).append(item)


@event.listens_for(Session, "before_flush")
def _only_inside_a_unit(session: Session, context: object, instances: object) -> None:
    """A write outside a unit of work is a mistake that SQLite would punish at random."""
    if session.info.get(_WRITES):
        return
    if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
        raise RuntimeError("changes are written inside unit_of_work() only")
