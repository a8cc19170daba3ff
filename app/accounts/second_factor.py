"""The second factor: an authenticator app, passkeys, and codes for the day both are lost."""

from __future__ import annotations

import datetime
import hmac
import re
import secrets
from dataclasses import dataclass

import pyotp
import segno
from sqlalchemy import select

from app.accounts import passkeys
from app.accounts.letters import tell_of_change
from app.accounts.models import Passkey, RecoveryCode, SignIn, User
from app.accounts.queries import hash_token
from app.accounts.sign_ins import forget_second_factor, note_second_factor
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db, now

STEP_SECONDS = 30  # RFC 6238, 5.2
STEPS_APART = 1
"""A clock may be half a minute off, and a code be typed as it changes (RFC 6238, 5.2)."""
RECOVERY_CODES = 10
RECOVERY_GROUPS, RECOVERY_GROUP_LENGTH = 4, 4
"""16 characters of 5 bits: 80 bits, which a plain hash keeps."""
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, without the letters that are read as other ones."""


@dataclass(frozen=True)
class Shown:
    """What a person showed: a code they typed, or a passkey's answer (JSON) to a challenge."""

    code: str = ""
    passkey: str = ""
    challenge: bytes = b""


def accept_second_factor(user: User, shown: Shown) -> None:
    """Raises `Invalid` unless `shown` is right. A code that was right is used up."""
    _lock(user)
    if shown.passkey:
        passkeys.accept_passkey(user, shown.passkey, shown.challenge)
    elif re.fullmatch(r"\d{6}", shown.code.replace(" ", "")):
        _accept_code(user, shown.code.replace(" ", ""))
    else:
        _accept_recovery_code(user, shown.code)


def show_second_factor(user: User, sign_in: SignIn | None, shown: Shown) -> None:
    """The same for a browser that is signed in already: what asks for a second factor opens."""
    accept_second_factor(user, shown)
    if sign_in is not None:
        note_second_factor(sign_in)


# The authenticator app ------------------------------------------------------------------------


def make_secret() -> str:
    """A secret for an app: 160 bits in base 32 (RFC 4226, 4: as long as the hash)."""
    return pyotp.random_base32()


def enrolment_address(user: User, secret: str, host: str) -> str:
    """The `otpauth://` address that apps read from the picture; `host` tells panels apart."""
    totp = pyotp.TOTP(secret)
    return totp.provisioning_uri(name=user.email, issuer_name=f"Moonbase {host}")


def picture_of(text: str) -> str:
    """A QR code as a `data:` address of an SVG, black on white in every theme."""
    code = segno.make(text, error="m", micro=False)
    return str(code.svg_data_uri(scale=5, border=4, dark="#000", light="#fff"))


def add_authenticator(user: User, secret: str, code: str) -> list[str]:
    """Take an app whose first code was right. Returns the recovery codes if these are the first.

    Raises `Invalid` for a wrong code; nothing has changed then.
    """
    _lock(user)
    if user.totp_secret is not None:
        raise Invalid("You have an authenticator app already. Remove that one first.", "code")
    step = _step_of(secret, code.replace(" ", ""), newer_than=0)
    if step is None:
        raise Invalid(
            "That code is not right. Is the clock of your phone? Try the one it shows now.", "code"
        )
    user.totp_secret, user.totp_last_step = secret, step
    record("account.authenticator.add", user.email, actor=user, organisation_id=None)
    tell_of_change(user, "An authenticator app was added to your account")
    return first_recovery_codes(user)


def remove_authenticator(user: User) -> None:
    """Sign-ins do not ask for its codes any more."""
    if user.totp_secret is None:
        raise Invalid("There is no authenticator app.")
    user.totp_secret = None
    record("account.authenticator.remove", user.email, actor=user, organisation_id=None)
    tell_of_change(user, "The authenticator app was removed from your account")
    tidy_second_factor(user)


def add_passkey(user: User, name: str, answer: str, challenge: bytes) -> list[str]:
    """Take a passkey. Returns the recovery codes if these are the first."""
    passkeys.add_passkey(user, name, answer, challenge)
    return first_recovery_codes(user)


def remove_passkey(user: User, passkey: Passkey) -> None:
    """Sign-ins do not take it any more; with the last factor the recovery codes go too."""
    passkeys.remove_passkey(user, passkey)
    tidy_second_factor(user)


def _accept_code(user: User, code: str) -> None:
    step = None
    if user.totp_secret is not None:
        step = _step_of(user.totp_secret, code, newer_than=user.totp_last_step)
    if step is None:
        raise Invalid("That code is not right, or was used already. Wait for the next.", "code")
    user.totp_last_step = step


def _step_of(
    secret: str, code: str, *, newer_than: int, moment: datetime.datetime | None = None
) -> int | None:
    """The time step whose code this is, if it is near the present one and after `newer_than`."""
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    present = int((moment or now()).timestamp()) // STEP_SECONDS
    found = None
    for step in range(present - STEPS_APART, present + STEPS_APART + 1):
        is_same = hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())
        if is_same and step > newer_than:
            found = step
    return found


def _lock(user: User) -> None:
    """Nobody else shows the same code meanwhile. SQLite has locked everything already."""
    locked = select(User).where(User.id == user.id).with_for_update()
    db.session.scalars(locked.execution_options(populate_existing=True)).one()


# Recovery codes -------------------------------------------------------------------------------


def first_recovery_codes(user: User) -> list[str]:
    """Ten codes for who has just got their first factor; none for who has codes."""
    return [] if user.recovery_codes else _make_recovery_codes(user)


def renew_recovery_codes(user: User) -> list[str]:
    """Ten new codes; those before open nothing any more."""
    if not user.has_second_factor:
        raise Invalid("Recovery codes stand in for a second factor. Set one up first.")
    user.recovery_codes.clear()
    record("account.recovery_codes.renew", user.email, actor=user, organisation_id=None)
    tell_of_change(user, "New recovery codes were made for your account")
    return _make_recovery_codes(user)


def _make_recovery_codes(user: User) -> list[str]:
    texts = [_random_code() for _ in range(RECOVERY_CODES)]
    user.recovery_codes += [RecoveryCode(code_hash=_hash_code(text)) for text in texts]
    return texts


def _random_code() -> str:
    groups = range(RECOVERY_GROUPS)
    letters = range(RECOVERY_GROUP_LENGTH)
    return "-".join("".join(secrets.choice(ALPHABET) for _ in letters) for _ in groups)


def _hash_code(text: str) -> str:
    """Of the code as it was meant: case, blanks, dashes and look-alikes make no difference."""
    meant = re.sub(r"[\s\-–—]", "", text).lower().translate(str.maketrans("oil", "011"))
    return hash_token(meant)


def _accept_recovery_code(user: User, text: str) -> None:
    wanted = _hash_code(text)
    row = next((row for row in user.recovery_codes if row.code_hash == wanted), None)
    if row is None:
        raise Invalid("That code is not right, or was used already.", "code")
    user.recovery_codes.remove(row)
    left = str(len(user.recovery_codes))
    record("account.recovery_code.use", user.email, actor=user, organisation_id=None, left=left)
    tell_of_change(user, "A recovery code of your account was used")


def tidy_second_factor(user: User) -> None:
    """After a removal: without a factor there is nothing to recover, or to have shown."""
    if not user.has_second_factor:
        user.recovery_codes.clear()
        forget_second_factor(user)
