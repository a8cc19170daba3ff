"""Finding an application's plan."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.plans.models import Plan, Subscription


def load_plan(application_id: int) -> Plan:
    """The plan an application is subscribed to; each has one."""
    return db.session.scalars(
        select(Plan).join(Subscription).where(Subscription.application_id == application_id)
    ).one()
