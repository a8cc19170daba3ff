"""A host name."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered


class DomainKind(StrEnum):
    """What a host name is to its environment. Own domains come with the domains page."""

    PLATFORM = "platform"


class Domain(Numbered, Base):
    """One host name, unique over the installation; platform ones are rows too."""

    __tablename__ = "domains"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    host: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[DomainKind]
