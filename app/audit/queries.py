"""Reading audit lines."""

from __future__ import annotations

from sqlalchemy import Select, select

from app.audit.models import AuditLine


def list_lines(organisation_id: int) -> Select[AuditLine]:
    """An organisation's lines, newest first, as a query to page through."""
    return (
        select(AuditLine)
        .where(AuditLine.organisation_id == organisation_id)
        .order_by(AuditLine.id.desc())
    )
