"""Seeding the first plan and subscribing applications."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.plans.models import Plan, Subscription

DEFAULT = "default"


def seed_plans() -> None:
    """The plan `default`, on the first start."""
    if db.session.scalar(select(Plan).where(Plan.slug == DEFAULT)) is None:
        db.session.add(Plan(slug=DEFAULT, name="Default"))


def subscribe(application_id: int, plan_slug: str = DEFAULT) -> None:
    """Give a new application its plan."""
    plan = db.session.scalars(select(Plan).where(Plan.slug == plan_slug)).one()
    db.session.add(Subscription(application_id=application_id, plan=plan))
