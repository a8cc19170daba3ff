"""A region, and the subnets given to its environments."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base, Numbered, Outside


class Region(Numbered, Outside, Base):
    """One container engine. `local` is the machine the panel itself runs on."""

    __tablename__ = "regions"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    network_pool: Mapped[str]
    """The network its environments get slices of, e.g. `10.213.0.0/16`; kept for good."""


class Subnet(Numbered, Base):
    """One slice of the region's pool, held by one environment."""

    __tablename__ = "subnets"
    __table_args__ = (UniqueConstraint("region_id", "position"),)

    region_id: Mapped[int] = mapped_column(ForeignKey("regions.id"))
    position: Mapped[int]
    """Which slice of the pool, from 0; the lowest free one is given out."""
    cidr: Mapped[str]
    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )

    region: Mapped[Region] = relationship()
