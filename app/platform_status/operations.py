"""Noting that a process works, and telling people of incidents."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db, now
from app.platform_status.models import Heartbeat


def report_alive(component: str, node: str = "local") -> None:
    """Note that the component works right now. Belongs into a unit of work."""
    wanted = select(Heartbeat).where(Heartbeat.component == component, Heartbeat.node == node)
    beat = db.session.scalar(wanted)
    if beat is None:
        db.session.add(Heartbeat(component=component, node=node, seen_at=now()))
    else:
        beat.seen_at = now()
