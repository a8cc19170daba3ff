"""Finding host names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from app.domains.models import Domain
from app.extensions import db


def find_domain(host: str) -> Domain | None:
    return db.session.scalar(
        select(Domain).where(Domain.host == host, Domain.proved_at.is_not(None))
    )


def primary_host(environment_id: int) -> str:
    """The host people are shown: the platform's, as long as there is no own one."""
    return (
        db.session.scalars(
            select(Domain.host).where(Domain.environment_id == environment_id).order_by(Domain.id)
        ).first()
        or ""
    )


def primary_hosts(environment_ids: Sequence[int]) -> Mapping[int, str]:
    """`primary_host` for many environments in one query."""
    rows = db.session.execute(
        select(Domain.environment_id, Domain.host)
        .where(Domain.environment_id.in_(environment_ids))
        .order_by(Domain.id.desc())
    )
    return {row.environment_id: row.host for row in rows}


def list_hosts(environment_id: int) -> list[str]:
    """All hosts of an environment, the platform's first."""
    return list(
        db.session.scalars(
            select(Domain.host).where(Domain.environment_id == environment_id).order_by(Domain.id)
        )
    )
