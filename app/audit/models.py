"""The audit line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered


class AuditLine(Numbered, Base):
    """One act. Names are copied, so that the line still reads when the things are gone."""

    __tablename__ = "audit_lines"
    __table_args__ = (Index("ix_audit_lines_organisation_id_id", "organisation_id", "id"),)

    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    actor_name: Mapped[str]
    action: Mapped[str]
    organisation_id: Mapped[int | None] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE")
    )
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(default="")
