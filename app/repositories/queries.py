"""Finding repositories and what waits in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db
from app.repositories.models import Repository, TrackedBranch


def load_repository(application_id: int) -> Repository:
    """The application's repository; each has one."""
    return db.session.scalars(
        select(Repository).where(Repository.application_id == application_id)
    ).one()


def find_tracked_branch(environment_id: int) -> TrackedBranch | None:
    return db.session.scalar(
        select(TrackedBranch).where(TrackedBranch.environment_id == environment_id)
    )


def tracked_branches(environment_ids: Sequence[int]) -> Mapping[int, TrackedBranch]:
    """By environment, in one query."""
    rows = db.session.scalars(
        select(TrackedBranch).where(TrackedBranch.environment_id.in_(environment_ids))
    )
    return {row.environment_id: row for row in rows}


def find_repository(key: str) -> Repository | None:
    """By its uuid, the key of the repository store."""
    return db.session.scalar(select(Repository).where(Repository.uuid == key))


def list_pushed_environments() -> Sequence[int]:
    """Environments that deploy on push and have commits waiting: the signal may have been lost."""
    return db.session.scalars(
        select(Environment.id)
        .join(TrackedBranch, TrackedBranch.environment_id == Environment.id)
        .where(Environment.is_deployed_on_push, TrackedBranch.waiting > 0, is_in_use())
    ).all()
