"""Finding mails that are due."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.extensions import db, now
from app.mails.models import Mail


def list_due(limit: int = 100) -> Sequence[Mail]:
    """Those to try now, the longest waiting first."""
    return db.session.scalars(
        select(Mail).where(Mail.due_at <= now()).order_by(Mail.due_at).limit(limit)
    ).all()
