"""An organisation and its members."""

from __future__ import annotations

import datetime

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

    requires_second_factor: Mapped[bool] = mapped_column(default=False)
    """Members see nothing of it, and Git refuses them, until they have shown one."""

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
    invitation_hash: Mapped[str | None] = mapped_column(unique=True)
    """Hash of the link they were invited by: opened again, it leads them in."""

    organisation: Mapped[Organisation] = relationship(back_populates="members")
    user: Mapped[User] = relationship()


class Invitation(Numbered, Outside, Base):
    """Somebody asked by mail to become a member. The row goes when they accept or it is revoked."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("organisation_id", "email"),)

    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(index=True)
    """Casefolded; only an account with this address may accept (L1826–1830)."""
    role: Mapped[Role]
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    sent_at: Mapped[datetime.datetime]
    expires_at: Mapped[datetime.datetime]

    organisation: Mapped[Organisation] = relationship()
    invited_by: Mapped[User | None] = relationship()
