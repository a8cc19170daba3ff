"""The audit line, and the end of the chain that all lines make up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered


class AuditLine(Numbered, Base):
    """One act. Names are copied and nothing refers to other tables, so that a line reads the same
    when the things are gone: it is never changed, and its hash holds the one before it (N10)."""

    __tablename__ = "audit_lines"
    __table_args__ = (Index("ix_audit_lines_organisation_id_id", "organisation_id", "id"),)

    actor_id: Mapped[int | None]
    actor_name: Mapped[str]
    action: Mapped[str]
    organisation_id: Mapped[int | None]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(default="")
    position: Mapped[int | None] = mapped_column(unique=True)
    """Its place in the chain, from 1; None: written before there was a chain."""
    hash: Mapped[str] = mapped_column(default="")


class AuditChain(Numbered, Base):
    """One row: where the chain ends. Whoever writes a line holds it until the commit."""

    __tablename__ = "audit_chains"

    position: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str] = mapped_column(default="")
