"""Finding repositories and what waits in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select

from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db
from app.repositories.models import Repository, TrackedBranch
from app.transactions import once_a_reading


class Followed(NamedTuple):
    """Which branch an environment deploys, in few words. `repository` is its key in the store,
    `deployed` the commit that runs."""

    environment_id: int
    slug: str
    branch: str
    repository: str
    deployed: str | None


@once_a_reading
def list_followed(application_id: int) -> Sequence[Followed]:
    """Of the environments in use; one light query, for forms are opened all the time."""
    rows = db.session.execute(
        select(
            Environment.id,
            Environment.slug,
            Environment.branch,
            Repository.uuid,
            TrackedBranch.deployed,
        )
        .join(Repository, Repository.application_id == Environment.application_id)
        .outerjoin(TrackedBranch, TrackedBranch.environment_id == Environment.id)
        .where(Environment.application_id == application_id, is_in_use())
        .order_by(Environment.id)
    )
    return [Followed(*row) for row in rows]


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
