"""An organisation and its members."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.extensions import Base, Numbered, Outside
from app.permissions import Role


class Organisation(Numbered, Outside, Base):
    """Whoever applications belong to: an agency, a client, one person."""

    __tablename__ = "organisations"

    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)

    members: Mapped[list[Member]] = relationship(
        back_populates="organisation", cascade="all, delete-orphan", order_by="Member.id"
    )


class Member(Numbered, Base):
    """One person's role in one organisation."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("organisation_id", "user_id"),)

    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role]

    organisation: Mapped[Organisation] = relationship(back_populates="members")
    user: Mapped[User] = relationship()
