"""Searching and counting over all applications a person may see."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import joinedload

from app.accounts.models import User
from app.applications.models import Application
from app.applications.queries import list_applications
from app.deployments.models import Deployment, DeploymentStatus
from app.domains.models import Domain
from app.environments.models import Environment
from app.extensions import db
from app.organisations.models import Organisation
from app.repositories.models import TrackedBranch
from app.web.searching import split_words


@dataclass(frozen=True)
class Counts:
    """How many applications there are, and in how many something waits, runs or has failed."""

    total: int
    waiting: int
    running: int
    failed: int


def find_sites(user: User, words: str, state: str, organisation: str) -> Select[Application]:
    """Applications by name, slug or host, in a state (`waiting`, `running`, `failed`), of an
    organisation (slug); empty means any."""
    query = list_applications(user).options(joinedload(Application.organisation))
    for word in split_words(words):
        with_host = (
            select(Environment.application_id)
            .join(Domain, Domain.environment_id == Environment.id)
            .where(
                Domain.host.icontains(word, autoescape=True),
                Domain.trashed_at.is_(None),
                Environment.trashed_at.is_(None),
            )
        )
        query = query.where(
            or_(
                Application.name.icontains(word, autoescape=True),
                Application.slug.icontains(word, autoescape=True),
                Application.id.in_(with_host),
            )
        )
    if organisation:
        query = query.join(Organisation).where(Organisation.slug == organisation)
    conditions = {"waiting": _waits, "running": _runs, "failed": _has_failed}
    if state in conditions:
        query = query.where(Application.id.in_(conditions[state]()))
    return query


def count_states(user: User) -> Counts:
    """Counted over everything the person may see."""
    mine = list_applications(user).with_only_columns(Application.id).order_by(None)

    def count(condition: Select[int] | None) -> int:
        query = mine if condition is None else mine.where(Application.id.in_(condition))
        return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0

    return Counts(count(None), count(_waits()), count(_runs()), count(_has_failed()))


def _waits() -> Select[int]:
    return (
        select(Environment.application_id)
        .join(TrackedBranch, TrackedBranch.environment_id == Environment.id)
        .where(TrackedBranch.waiting > 0, Environment.trashed_at.is_(None))
    )


def _runs() -> Select[int]:
    return (
        select(Environment.application_id)
        .join(Deployment, Deployment.environment_id == Environment.id)
        .where(
            Deployment.status.in_([DeploymentStatus.QUEUED, DeploymentStatus.RUNNING]),
            Environment.trashed_at.is_(None),
        )
    )


def _has_failed() -> Select[int]:
    """Asked by environment, newest first: an index answers it, whatever the number of rows."""
    newest = (
        select(Deployment.status)
        .where(Deployment.environment_id == Environment.id)
        .order_by(Deployment.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(Environment.application_id).where(
        newest == DeploymentStatus.FAILED, Environment.trashed_at.is_(None)
    )
