"""Finding mails that are due, or not needed any more."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.extensions import db, now
from app.mails.models import Mail
from app.mails.operations import KEPT_DAYS


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


def has_old_mails() -> bool:
    """Whether the oldest row is to be removed; asked all the time, so it reads one row only."""
    oldest = db.session.scalar(select(Mail.created_at).order_by(Mail.id).limit(1))
    return oldest is not None and oldest < now() - datetime.timedelta(days=KEPT_DAYS)
