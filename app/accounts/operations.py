"""Making people, checking passwords, adding and removing keys and tokens."""

from __future__ import annotations

import datetime
import functools
import secrets
import zoneinfo
from dataclasses import dataclass

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete

from app.accounts import queries
from app.accounts.letters import tell_of_change
from app.accounts.models import (
    AccessToken,
    FailureNotices,
    PasswordReset,
    SignIn,
    SSHKey,
    User,
)
from app.accounts.public_keys import read_public_key
from app.accounts.sign_ins import end_sign_ins
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db, now
from app.installation import installation
from app.names import clean_email, clean_name, fold_email
from app.permissions import Scope

PASSWORD_LENGTH = (10, 1000)
TOKEN_PREFIX = "mb_"  # noqa: S105 -- recognisable in a leak scan, not a secret
USE_NOTED_EVERY = datetime.timedelta(minutes=5)
"""How exact a token's last use is: a write for every request would be dear."""


def create_user(email: str, name: str, password: str, *, is_email_proved: bool = True) -> User:
    """A new person. Raises `Invalid` for a taken address or a short password.

    `is_email_proved` says that a mail has reached them there, or that somebody vouches for it.
    """
    address = clean_email(email)
    if queries.find_user(address):
        raise Invalid("An account with this e-mail address exists already.", "email")
    user = User(
        email=address,
        is_email_proved=is_email_proved,
        name=clean_name(name),
        password_hash=hash_password(password),
    )
    db.session.add(user)
    db.session.flush()
    record("account.create", user.email, actor=user, organisation_id=None)
    return user


def hash_password(password: str) -> str:
    """An argon2id hash. Raises `Invalid` outside 10–1000 characters."""
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        raise Invalid(f"A password needs at least {shortest} characters.", "password")
    return _hasher().hash(password)


def _hasher() -> PasswordHasher:
    return _hashers(installation().settings.is_testing)


@functools.cache
def _hashers(is_testing: bool) -> PasswordHasher:
    """The second choice of RFC 9106: 64 MiB and a third of a second. Tests, which make thousands
    of people, use the same with less."""
    profile = profiles.CHEAPEST if is_testing else profiles.RFC_9106_LOW_MEMORY
    return PasswordHasher.from_parameters(profile)


@functools.cache
def _nobodys_hash() -> str:
    """Made when it is first needed: processes that check no password start without it."""
    return _hasher().hash("a password that nobody has")


def check_password(email: str, password: str) -> User | None:
    """The person, if the password is theirs. Takes as long for an address nobody has."""
    user = queries.find_user(fold_email(email))
    try:
        _hasher().verify(user.password_hash if user else _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return None
    return user


def confirm_password(user: User, password: str) -> None:
    """Raises `Invalid` unless `password` is the person's own: who found an open browser has not
    got it."""
    if check_password(user.email, password) is None:
        raise Invalid("That is not your password.", "password")


def change_password(user: User, present: str, new: str, here: SignIn | None = None) -> None:
    """Set a new password, sign out every browser but the one of `here`, and tell by mail. Links
    to choose another one, which somebody else may have asked for, are dead."""
    if check_password(user.email, present) is None:
        raise Invalid("The present password is not right.", "present")
    user.password_hash = hash_password(new)
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    record("account.password", user.email, actor=user, organisation_id=None)
    end_sign_ins(user, but=here)
    tell_of_change(user, "The password of your account was changed")


@dataclass(frozen=True)
class Profile:
    """What a person says of themselves. `time_zone` is an IANA zone, `language` a code."""

    name: str
    time_zone: str = "UTC"
    language: str = "en"
    failure_notices: FailureNotices = FailureNotices.OWN


def update_profile(user: User, profile: Profile) -> None:
    """Change name, zone, language and notices. Raises `Invalid` for a zone that is none."""
    zone = profile.time_zone.strip().replace(" ", "_").casefold()
    zones = {name.casefold(): name for name in zoneinfo.available_timezones()}
    if zone not in zones:
        raise Invalid("Choose a time zone from the list, e.g. “Europe/Zurich”.", "time_zone")
    before, user.name = user.name, clean_name(profile.name)
    if user.name != before:
        facts = {"before": before, "after": user.name}
        record("account.rename", user.email, actor=user, organisation_id=None, **facts)
    user.time_zone = zones[zone]
    user.language = profile.language
    user.failure_notices = profile.failure_notices


def add_ssh_key(user: User, name: str, text: str) -> SSHKey:
    """Accept an ED25519, ECDSA or RSA (2048 bits or more) public key in OpenSSH form."""
    key = read_public_key(text)
    if queries.find_ssh_key(key.fingerprint):
        raise Invalid("This key is in use on an account already.", "public_key")
    row = SSHKey(
        user=user,
        name=clean_name(name.strip() or key.comment or key.kind),
        kind=key.kind,
        fingerprint=key.fingerprint,
        public_key=key.text,
    )
    db.session.add(row)
    record("account.ssh_key.add", key.fingerprint, actor=user, organisation_id=None)
    return row


def remove_ssh_key(user: User, key: SSHKey) -> None:
    """Take a key away; the next connection with it is refused."""
    record("account.ssh_key.remove", key.fingerprint, actor=user, organisation_id=None)
    db.session.delete(key)


def create_access_token(
    user: User,
    name: str,
    days: int | None = None,
    *,
    scope: Scope = Scope.WRITE,
    organisation_id: int | None = None,
) -> tuple[AccessToken, str]:
    """A new token and its text, which is shown once and kept nowhere. Without `days` it does not
    end, without `organisation_id` it opens all of the person's."""
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = AccessToken(
        user=user,
        name=clean_name(name),
        hint=text[:8],
        token_hash=queries.hash_token(text),
        scope=scope,
        organisation_id=organisation_id,
        expires_at=now() + datetime.timedelta(days=days) if days else None,
    )
    db.session.add(token)
    facts = {"scope": scope.value, "days": str(days or "")}
    record("account.token.create", token.name, actor=user, organisation_id=organisation_id, **facts)
    return token, text


def note_token_use(token: AccessToken) -> None:
    """Remember that the token was used; asked for once in `USE_NOTED_EVERY`."""
    token.last_used_at = now()


def revoke_access_token(user: User, token: AccessToken) -> None:
    """End a token at once."""
    record("account.token.revoke", token.name, actor=user, organisation_id=token.organisation_id)
    db.session.delete(token)
