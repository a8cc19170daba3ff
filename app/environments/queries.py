"""Finding environments."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.environments.models import Environment
from app.extensions import db


def find_environment(application_id: int, slug: str) -> Environment | None:
    return db.session.scalar(
        select(Environment).where(
            Environment.application_id == application_id, Environment.slug == slug
        )
    )


def list_environments(application_id: int) -> Sequence[Environment]:
    """In the order they were made: Test, Live, then others."""
    return db.session.scalars(
        select(Environment)
        .where(Environment.application_id == application_id)
        .order_by(Environment.id)
    ).all()


def list_tracking(application_id: int, branches: Sequence[str]) -> Sequence[Environment]:
    """Environments that deploy one of `branches`."""
    return [row for row in list_environments(application_id) if row.branch in branches]
