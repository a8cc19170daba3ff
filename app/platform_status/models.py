"""A component's sign of life, and an incident."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base, Numbered, Outside


class Heartbeat(Numbered, Base):
    """When a process of the panel was last seen to work."""

    __tablename__ = "heartbeats"
    __table_args__ = (UniqueConstraint("component", "node"),)

    component: Mapped[str]
    """As in `app.processes.programs`: scheduler, observer, ssh, …"""
    node: Mapped[str] = mapped_column(default="local")
    seen_at: Mapped[datetime.datetime]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it has to say to operators, e.g. the engine's version; no secret, no tenant's name."""


class Impact(StrEnum):
    """What an incident means for those who use the platform."""

    NOTICE = "notice"
    DEGRADED = "degraded"
    DOWN = "down"


class Incident(Numbered, Outside, Base):
    """Something operators tell everybody of. It lasts until it is resolved."""

    __tablename__ = "incidents"

    title: Mapped[str]
    impact: Mapped[Impact]
    resolved_at: Mapped[datetime.datetime | None]

    updates: Mapped[list[IncidentUpdate]] = relationship(
        cascade="all, delete-orphan", order_by="IncidentUpdate.id.desc()"
    )


class IncidentUpdate(Numbered, Base):
    """One thing said about an incident."""

    __tablename__ = "incident_updates"

    incident_id: Mapped[int] = mapped_column(
        ForeignKey("incidents.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str]
    actor_name: Mapped[str]
