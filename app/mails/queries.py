"""Finding mails that are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.extensions import db, now
from app.mails.models import Mail


@dataclass(frozen=True)
class Due:
    """A mail to try now, and how often it was tried."""

    id: int
    attempts: int


def list_due(limit: int = 100) -> Sequence[Due]:
    """Those to try now, the longest waiting first."""
    rows = db.session.execute(
        select(Mail.id, Mail.attempts)
        .where(Mail.due_at <= now())
        .order_by(Mail.due_at)
        .limit(limit)
    )
    return [Due(number, attempts) for number, attempts in rows]
