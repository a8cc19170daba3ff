"""A person, their SSH keys and access tokens."""

from __future__ import annotations

import datetime
import secrets

from flask_login import UserMixin
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base, Numbered, Outside


class User(Numbered, Outside, UserMixin, Base):
    """A person who can sign in. `email` is kept casefolded and is unique."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    session_key: Mapped[str] = mapped_column(default=lambda: secrets.token_urlsafe(16))
    """Part of every session; a new one signs the person out everywhere."""

    ssh_keys: Mapped[list[SSHKey]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="SSHKey.id"
    )
    access_tokens: Mapped[list[AccessToken]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="AccessToken.id"
    )

    def get_id(self) -> str:
        """What the session cookie carries."""
        return f"{self.id}.{self.session_key}"


class SSHKey(Numbered, Base):
    """A public key that stands for a person on the Git server."""

    __tablename__ = "ssh_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    kind: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    """`SHA256:…`, as `ssh-keygen -l` prints it."""
    public_key: Mapped[str]
    last_used_at: Mapped[datetime.datetime | None]

    user: Mapped[User] = relationship(back_populates="ssh_keys")


class AccessToken(Numbered, Base):
    """A secret that stands for a person over HTTP. Only its hash is kept."""

    __tablename__ = "access_tokens"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    hint: Mapped[str]
    """The first characters, so that a person can tell one token from another."""
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime.datetime | None]
    last_used_at: Mapped[datetime.datetime | None]

    user: Mapped[User] = relationship(back_populates="access_tokens")
