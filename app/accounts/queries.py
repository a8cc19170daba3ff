"""Finding people by what they show: an address, a key, a token."""

from __future__ import annotations

import datetime
import hashlib

from sqlalchemy import select

from app.accounts.models import AccessToken, SSHKey, User
from app.errors import NotFound
from app.extensions import db, now
from app.names import fold_email


def find_user(email: str) -> User | None:
    """By casefolded address."""
    return db.session.scalar(select(User).where(User.email == email))


def load_user(email: str) -> User:
    """Whose address it is. Raises `NotFound`: for those who may know who has an account."""
    found = find_user(fold_email(email))
    if found is None:
        raise NotFound(f"There is no account with the address {email}.")
    return found


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
