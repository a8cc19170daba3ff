"""The chain that all audit lines make up: writing its next links, and walking it.

Each line's hash is keyed and holds the line before it. The key lies in the secrets' folder: whoever
can write the database only can neither forge a line nor the seal on the chain's end.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import func, select, text

from app.audit.models import AuditChain, AuditLine
from app.config import kept_secret
from app.extensions import db
from app.installation import installation

logger = logging.getLogger(__name__)

KEY_FILE = "audit.key"
ONLY_ROW = 1
BATCH = 2000
"""Lines read at once by a walk: some megabytes."""
BROKEN = "broken"
"""Stands for the hash before a line that was written although the end had been tampered with:
no hash is like it, so that a walk stops there for ever."""


def audit_key() -> bytes:
    """The key of this installation's chain, made on the first call."""
    return _kept_key(installation().settings.data_dir / "secrets" / KEY_FILE)


@lru_cache(maxsize=16)
def _kept_key(path: Path) -> bytes:
    return kept_secret(path).encode()


def hash_of(line: AuditLine, previous: str, key: bytes) -> str:
    """The line's hash, over its fields, its place and the hash of the line before it."""
    moment = line.created_at.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    fields = [
        line.position,
        moment,
        line.actor_id,
        line.actor_name,
        line.action,
        line.organisation_id,
        line.subject,
        line.details,
        line.address,
        previous,
    ]
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def seal_of(position: int, line_hash: str, key: bytes) -> str:
    """What the end row holds: unlike the last line's hash, it stands nowhere in the table, so that
    cutting lines off and moving the end back needs the key."""
    return hmac.new(key, f"end:{position}:{line_hash}".encode(), hashlib.sha256).hexdigest()


def seed_chain() -> None:
    """The end row of a chain without lines, on the first start. Belongs into a unit of work."""
    if db.session.get(AuditChain, ONLY_ROW) is None:
        has_lines = db.session.scalar(select(func.max(AuditLine.position))) is not None
        if not has_lines:
            seal = seal_of(0, "", audit_key())
            db.session.add(AuditChain(id=ONLY_ROW, position=0, hash=seal))
            db.session.flush()


def chain_up(lines: Sequence[AuditLine]) -> None:
    """Write `lines` behind the chain's end, whose row is locked until the commit.

    An end that was tampered with does not stop the panel: the first line behind it is written so
    that no walk ever passes it.
    """
    key = audit_key()
    end = _locked_end()
    previous = _hash_at(end.position)
    if end.hash != seal_of(end.position, previous, key):
        logger.error("the audit log's end was tampered with: run `flask panel audit verify`")
        last = db.session.scalar(select(func.max(AuditLine.position)))
        end.position = max(end.position, last or 0)
        previous = BROKEN
    for line in lines:
        end.position += 1
        line.position = end.position
        line.hash = previous = hash_of(line, previous, key)
        db.session.add(line)
    end.hash = seal_of(end.position, previous, key)
    db.session.flush()


def _locked_end() -> AuditChain:
    """The end row, nobody else's until the commit; SQLite has locked everything already."""
    wanted = select(AuditChain).where(AuditChain.id == ONLY_ROW).with_for_update()
    end = db.session.scalar(wanted.execution_options(populate_existing=True))
    if end is None:
        seed_chain()
        end = db.session.get(AuditChain, ONLY_ROW)
    if end is None:  # somebody has removed the row, and lines are there
        end = AuditChain(id=ONLY_ROW, position=0, hash=BROKEN)
        db.session.add(end)
        db.session.flush()
    return end


def _hash_at(position: int) -> str:
    wanted = select(AuditLine.hash).where(AuditLine.position == position)
    return db.session.scalar(wanted) or ""


@dataclass(frozen=True)
class Walk:
    """What a walk along the whole chain found.

    `broken_at` is the first position that is not as it was written, `why` a sentence about it.
    `older` counts the lines from before there was a chain.
    """

    lines: int
    end: str
    older: int
    broken_at: int | None = None
    why: str = ""


def walk_chain(noted: str = "") -> Walk:
    """Check every line and the end, in one reading. `noted` is the end of an earlier walk, kept
    elsewhere: its line must still be there."""
    key = audit_key()
    _begin_one_reading()
    older = db.session.scalar(select(func.count()).where(AuditLine.position.is_(None))) or 0
    position, previous, last_id, is_noted = 0, "", 0, not noted
    for line in _lines():
        position += 1
        if position == 1 and _has_stragglers(line.id):
            why = "A line without a place was added behind the chain's beginning."
            return Walk(0, "", older, 1, why)
        why = _flaw(line, position, last_id, previous, key)
        if why:
            return Walk(position - 1, previous, older, position, why)
        previous, last_id = line.hash, line.id
        is_noted = is_noted or line.hash == noted
    why = _flaw_of_end(position, previous, key)
    if not why and not is_noted:
        why = "The line with the noted hash is not there: the log was cut off or replaced."
    return Walk(position, previous, older, position + 1 if why else None, why)


def _begin_one_reading() -> None:
    """What is written meanwhile is not seen: neither lines nor the end. SQLite reads like that."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def _lines() -> Iterator[AuditLine]:
    """All chained lines in order; each batch is let go of before the next."""
    after = 0
    while True:
        chained = select(AuditLine).where(AuditLine.position > after)
        rows = db.session.scalars(chained.order_by(AuditLine.position).limit(BATCH)).all()
        yield from rows
        if not rows:
            return
        after = rows[-1].position or 0
        db.session.expunge_all()


def _has_stragglers(first_id: int) -> bool:
    loose = select(AuditLine.id).where(AuditLine.position.is_(None), AuditLine.id > first_id)
    return db.session.scalar(loose.limit(1)) is not None


def _flaw(line: AuditLine, position: int, last_id: int, previous: str, key: bytes) -> str:
    if line.position != position:
        return f"Line {position} is missing."
    if line.id <= last_id:
        return f"Line {position} was moved to another row."
    if not hmac.compare_digest(line.hash, hash_of(line, previous, key)):
        return f"Line {position} was changed, or what stood before it was."
    return ""


def _flaw_of_end(position: int, previous: str, key: bytes) -> str:
    end = db.session.get(AuditChain, ONLY_ROW)
    if end is None:
        return "The row that holds the chain's end is missing." if position else ""
    if end.position > position:
        return f"The chain's end is line {end.position}, but the last line is {position}."
    if end.position < position:
        return f"The chain's end is line {end.position}: later lines were put in from outside."
    if end.hash != seal_of(position, previous, key):
        return "The seal on the chain's end was changed."
    return ""
