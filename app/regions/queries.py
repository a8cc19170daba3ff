"""Finding regions and subnets."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.regions.models import Region, Subnet

LOCAL = "local"


def find_region(slug: str) -> Region | None:
    return db.session.scalar(select(Region).where(Region.slug == slug))


def find_subnet(environment_id: int) -> Subnet | None:
    return db.session.scalar(select(Subnet).where(Subnet.environment_id == environment_id))
