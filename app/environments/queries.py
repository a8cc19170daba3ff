"""Finding environments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import ColumnElement, and_, func, select

from app.applications.models import Application
from app.environments.models import Environment
from app.extensions import db
from app.transactions import once_a_reading


@cache
def is_in_use() -> ColumnElement[bool]:
    """For any query over environments: lies in no trash, neither by itself nor with its
    application."""
    return and_(
        Environment.trashed_at.is_(None),
        Environment.application.has(Application.trashed_at.is_(None)),
    )


def find_environment(application_id: int, slug: str) -> Environment | None:
    """Not one in the trash."""
    rows = list_environments(application_id)  # there are few, and pages list them as well
    return next((row for row in rows if row.slug == slug), None)


@once_a_reading
def list_environments(application_id: int) -> Sequence[Environment]:
    """In the order they were made: Test, Live, then others. Not those in the trash."""
    return db.session.scalars(
        select(Environment)
        .where(Environment.application_id == application_id, is_in_use())
        .order_by(Environment.id)
    ).all()


def find_holder(application_id: int, slug: str) -> Environment | None:
    """Which environment has the name, in use or in the trash: names stay taken there."""
    return db.session.scalar(
        select(Environment).where(
            Environment.application_id == application_id, Environment.slug == slug
        )
    )


def count_environments(application_id: int) -> int:
    """All of them, those in the trash included: they hold their name, address and network."""
    counted = select(func.count(Environment.id)).where(Environment.application_id == application_id)
    return db.session.scalar(counted) or 0


def list_tracking(application_id: int, branches: Sequence[str]) -> Sequence[Environment]:
    """Environments that deploy one of `branches`."""
    return [row for row in list_environments(application_id) if row.branch in branches]
