"""Finding regions and subnets."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.extensions import db
from app.regions.models import Region, Subnet

LOCAL = "local"


def find_region(slug: str) -> Region | None:
    return db.session.scalar(select(Region).where(Region.slug == slug))


def list_regions() -> Sequence[Region]:
    return db.session.scalars(select(Region).order_by(Region.name)).all()


def find_subnet(environment_id: int) -> Subnet | None:
    return db.session.scalar(select(Subnet).where(Subnet.environment_id == environment_id))
