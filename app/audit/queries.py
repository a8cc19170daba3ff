"""Reading audit lines."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Select, Text, and_, cast, or_, select

from app.audit.filters import Filter
from app.audit.models import AuditLine
from app.extensions import db

BATCH = 500
"""Lines held in memory by an export, whatever its length."""


def list_lines(
    wanted: Filter | None = None,
    *,
    organisation_id: int | None = None,
    actor_id: int | None = None,
) -> Select[AuditLine]:
    """Lines that fit, newest first, as a query to page through; of one organisation or person,
    or of the whole installation. Lines stay when what they tell of is deleted."""
    query = select(AuditLine).order_by(AuditLine.id.desc())
    if organisation_id is not None:
        query = query.where(AuditLine.organisation_id == organisation_id)
    if actor_id is not None:
        query = query.where(AuditLine.actor_id == actor_id)
    return query.where(*_conditions(wanted or Filter()))


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for word in wanted.words.split()[:10]:
        yield _holds(word)
    if wanted.group:
        yield AuditLine.action.startswith(f"{wanted.group}.", autoescape=True)
    if wanted.application:
        yield _is_about(wanted.application)
    if wanted.actor:
        yield AuditLine.actor_name == wanted.actor
    if wanted.since:
        yield AuditLine.created_at >= _midnight(wanted.since)
    if wanted.until and wanted.until < datetime.date.max:
        yield AuditLine.created_at < _midnight(wanted.until) + datetime.timedelta(days=1)


def _holds(word: str) -> ColumnElement[bool]:
    """Anywhere in the line. Details are kept as JSON, which spells “ë” as “\\u00eb”."""
    spelled = json.dumps(word)[1:-1]
    return or_(
        AuditLine.actor_name.icontains(word, autoescape=True),
        AuditLine.action.icontains(word, autoescape=True),
        AuditLine.subject.icontains(word, autoescape=True),
        cast(AuditLine.details, Text).icontains(spelled, autoescape=True),
        AuditLine.address.startswith(word, autoescape=True),
    )


def _is_about(slug: str) -> ColumnElement[bool]:
    """The application or one of its environments; people and organisations have other actions."""
    is_subject = or_(
        AuditLine.subject == slug, AuditLine.subject.startswith(f"{slug}/", autoescape=True)
    )
    others = ("organisation", "member", "invitation", "account", "incident", "operator", "keys")
    return and_(is_subject, *(~AuditLine.action.startswith(f"{group}.") for group in others))


def _midnight(date: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(date, datetime.time(), datetime.UTC)


def list_actors(organisation_id: int | None = None, limit: int = 200) -> list[str]:
    """Names that occur, for a filter."""
    names = select(AuditLine.actor_name).distinct().order_by(AuditLine.actor_name)
    if organisation_id is not None:
        names = names.where(AuditLine.organisation_id == organisation_id)
    return list(db.session.scalars(names.limit(limit)))


def stream_lines(query: Select[AuditLine]) -> Iterator[AuditLine]:
    """All lines of `query`, a batch at a time: each batch is let go of before the next, and no
    reading is held open between them."""
    before: int | None = None
    while True:
        part = query if before is None else query.where(AuditLine.id < before)
        rows = db.session.scalars(part.limit(BATCH)).all()
        if not rows:
            return
        before = rows[-1].id
        db.session.expunge_all()
        db.session.rollback()
        yield from rows
