"""A person, and everything that proves who they are."""

from __future__ import annotations

import datetime
from collections.abc import Set
from enum import StrEnum
from typing import Any

from flask_login import UserMixin
from sqlalchemy import JSON, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base, Numbered, Outside
from app.keyrings import Encrypted
from app.permissions import SCOPE_RIGHTS, Permission, Scope


class FailureNotices(StrEnum):
    """Of which failed deployments a person wants to hear by mail."""

    OWN = "own"
    """Those they asked for or pushed."""
    ALL = "all"
    """Those of every application they may work on."""
    NONE = "none"


class User(Numbered, Outside, UserMixin, Base):
    """A person who can sign in. `email` is kept casefolded and is unique."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    is_email_proved: Mapped[bool] = mapped_column(default=True)
    """False for who signed up by themselves, until a mail has reached them: anybody may have typed
    that address."""
    name: Mapped[str]
    password_hash: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    language: Mapped[str] = mapped_column(default="en")
    failure_notices: Mapped[FailureNotices] = mapped_column(default=FailureNotices.OWN)
    is_operator: Mapped[bool] = mapped_column(default=False)
    """May look after the installation itself."""
    totp_secret: Mapped[str | None] = mapped_column(Encrypted, deferred=True)
    """Base 32, of the authenticator app; None without one. Not read with every request."""
    totp_last_step: Mapped[int] = mapped_column(default=0)
    """The newest time step a code was accepted for: no code works twice (RFC 6238, 5.2)."""

    ssh_keys: Mapped[list[SSHKey]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="SSHKey.id"
    )
    access_tokens: Mapped[list[AccessToken]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="AccessToken.id"
    )

    passkeys: Mapped[list[Passkey]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="Passkey.id"
    )
    recovery_codes: Mapped[list[RecoveryCode]] = relationship(cascade="all, delete-orphan")

    sign_in_key = ""
    """Of the browser that asks: set when a cookie has been read or is about to be; no column."""

    def get_id(self) -> str:
        """What the session cookie carries."""
        return self.sign_in_key

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None or bool(self.passkeys)


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
    scope: Mapped[Scope] = mapped_column(default=Scope.WRITE)
    organisation_id: Mapped[int | None] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), index=True
    )
    """The only organisation it opens; None: all of the person's."""
    expires_at: Mapped[datetime.datetime | None]
    last_used_at: Mapped[datetime.datetime | None]

    user: Mapped[User] = relationship(back_populates="access_tokens")

    def limit(self, rights: Set[Permission], organisation_id: int) -> frozenset[Permission]:
        """Of the rights its person has on a thing of this organisation, those the token gives on:
        its scope's, and none outside of the organisation it was made for.

        The one place that says so; `rights_by_token` and its like come here.
        """
        if self.organisation_id not in (None, organisation_id):
            return frozenset()
        return SCOPE_RIGHTS[self.scope] & rights


class SignIn(Numbered, Outside, Base):
    """One browser in which a person is signed in. Deleting the row signs it out, whoever holds
    a copy of its cookie."""

    __tablename__ = "sign_ins"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of what the cookie carries."""
    address: Mapped[str] = mapped_column(default="")
    agent: Mapped[str] = mapped_column(default="")
    """The browser's own words (User-Agent), cut to 200 characters."""
    seen_at: Mapped[datetime.datetime]
    expires_at: Mapped[datetime.datetime]
    second_factor_at: Mapped[datetime.datetime | None]
    """When the second factor was shown; None: not in this browser."""

    user: Mapped[User] = relationship()


class RecoveryCode(Numbered, Base):
    """Stands in for a lost second factor, once. Only its hash is kept."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str]


class Passkey(Numbered, Base):
    """A WebAuthn credential: a key in a phone, a computer or a stick."""

    __tablename__ = "passkeys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    transports: Mapped[list[Any]] = mapped_column(JSON, default=list)
    last_used_at: Mapped[datetime.datetime | None]

    user: Mapped[User] = relationship(back_populates="passkeys")


class PasswordReset(Numbered, Base):
    """A link by mail that lets its reader choose a new password, once. Only its hash is kept."""

    __tablename__ = "password_resets"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime.datetime]

    user: Mapped[User] = relationship()


class EmailChange(Numbered, Base):
    """A new address that a person wants, until they open the link that was sent to it."""

    __tablename__ = "email_changes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    """One at a time: the newest wish takes the place of the one before."""
    email: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime.datetime]
