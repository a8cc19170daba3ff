"""Finding repositories and what waits in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from app.extensions import db
from app.repositories.models import Repository, TrackedBranch
from app.transactions import once_a_reading


@once_a_reading
def load_repository(application_id: int) -> Repository:
    """The application's repository; each has one."""
    return db.session.scalars(
        select(Repository).where(Repository.application_id == application_id)
    ).one()


def find_tracked_branch(environment_id: int) -> TrackedBranch | None:
    return db.session.scalar(
        select(TrackedBranch).where(TrackedBranch.environment_id == environment_id)
    )


@once_a_reading
def tracked_branches(environment_ids: Sequence[int]) -> Mapping[int, TrackedBranch]:
    """By environment, in one query."""
    rows = db.session.scalars(
        select(TrackedBranch).where(TrackedBranch.environment_id.in_(environment_ids))
    )
    return {row.environment_id: row for row in rows}


def find_repository(key: str) -> Repository | None:
    """By its uuid, the key of the repository store."""
    return db.session.scalar(select(Repository).where(Repository.uuid == key))
