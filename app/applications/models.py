"""An application and its collaborators."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.extensions import Base, Numbered, Outside, Trashable
from app.organisations.models import Organisation
from app.permissions import Access


class Starter(StrEnum):
    """What a new application's repository begins with."""

    BLANK = "blank"
    STATIC = "static"


class Application(Numbered, Outside, Trashable, Base):
    """One site. `slug` is unique over the installation: host names begin with it."""

    __tablename__ = "applications"

    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"), index=True)
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    starter: Mapped[Starter]

    organisation: Mapped[Organisation] = relationship()
    collaborators: Mapped[list[Collaborator]] = relationship(
        back_populates="application", cascade="all, delete-orphan", order_by="Collaborator.id"
    )


class Collaborator(Numbered, Base):
    """What a regular member was given on one application (A6)."""

    __tablename__ = "collaborators"
    __table_args__ = (UniqueConstraint("application_id", "user_id"),)

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    """Access ends with the membership: who is let in again later begins without it."""
    access: Mapped[Access]

    application: Mapped[Application] = relationship(back_populates="collaborators")
    user: Mapped[User] = relationship()
