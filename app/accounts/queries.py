"""Finding people by what they show: an address, a key, a token."""

from __future__ import annotations

import datetime
import hashlib

from sqlalchemy import select

from app.accounts.models import AccessToken, SSHKey, User
from app.extensions import db, now


def find_user(email: str) -> User | None:
    """By casefolded address."""
    return db.session.scalar(select(User).where(User.email == email))


def find_ssh_key(fingerprint: str) -> SSHKey | None:
    return db.session.scalar(select(SSHKey).where(SSHKey.fingerprint == fingerprint))


def find_access_token(text: str, moment: datetime.datetime | None = None) -> AccessToken | None:
    """The token, unless it has expired."""
    matches = AccessToken.token_hash == hash_token(text)
    token = db.session.scalar(select(AccessToken).where(matches))
    is_expired = token and token.expires_at and token.expires_at <= (moment or now())
    return None if is_expired else token


def hash_token(text: str) -> str:
    """SHA-256 is enough: a token has 256 random bits, unlike a password."""
    return hashlib.sha256(text.encode()).hexdigest()
