"""Changing the address of an account: it changes when the link sent to the new one is opened."""

from __future__ import annotations

import datetime
import secrets

from sqlalchemy import delete, select

from app.accounts.models import EmailChange, PasswordReset, User
from app.accounts.operations import confirm_password
from app.accounts.queries import find_user, hash_token
from app.audit.operations import record
from app.errors import Invalid, NotFound
from app.extensions import db, now
from app.installation import installation
from app.mails.operations import post_mail
from app.names import clean_email

VALID = datetime.timedelta(days=1)
ENDED = "This link has been used, or its day is over. Ask for the change again."
CONFIRM = """\
Hello {name},

you want to use {new} for your account on {panel}.
Open this link in a browser where you are signed in, and confirm it:

    {link}

It works for one day. Until then you sign in with {old} as before.

If you asked for no such thing, do nothing: without you nothing changes.

Moonbase
"""
TAKEN = """\
Hello,

somebody wanted to use {new} for their account on {panel}, but there is
an account with this address already. Nothing was changed.

If it was you: sign in with this address, or choose a new password there.

Moonbase
"""
WARNING = """\
Hello {name},

your account on {panel} is to get another address: {new}.
It changes when the link that was sent there is opened. Until then, and if it never is,
you sign in with {old} as before.

If that was not you, somebody knows your password. Change it now, and look at where you
are signed in:

    {link}

Moonbase
"""
CHANGED = """\
Hello {name},

your account on {panel} has another address now: {new}.
Sign in with that one; {old} opens nothing any more.

If that was not you, tell whoever runs {panel} at once.

Moonbase
"""


def request_email_change(user: User, email: str, password: str) -> None:
    """Mail a link to the new address, and a note to the old one. Nothing else changes yet.

    Whether somebody else has the address is told to that address only. Raises `Invalid` for a
    wrong password or what is no address.
    """
    confirm_password(user, password)
    address = clean_email(email)
    if address == user.email:
        raise Invalid("This is your address already.", "email")
    db.session.execute(delete(EmailChange).where(EmailChange.user_id == user.id))
    if find_user(address):
        _write(user, address, address, "Your address is in use already", TAKEN)
    else:
        token = secrets.token_urlsafe(32)
        row = EmailChange(
            user_id=user.id,
            email=address,
            token_hash=hash_token(token),
            expires_at=now() + VALID,
        )
        db.session.add(row)
        path = f"/account/email/{token}/"
        _write(user, address, address, "Confirm your new address", CONFIRM, path)
    _write(user, user.email, address, "Your address is to be changed", WARNING)
    record("account.email.request", user.email, actor=user, organisation_id=None, to=address)


def find_email_change(user: User, token: str, *, is_used: bool = False) -> EmailChange:
    """What a link stands for. Raises `NotFound` when it has ended, or is another person's.

    `is_used`: it is about to be; who uses it at the same moment waits, and finds it gone.
    """
    query = select(EmailChange).where(
        EmailChange.token_hash == hash_token(token),
        EmailChange.user_id == user.id,
        EmailChange.expires_at > now(),
    )
    row = db.session.scalar(query.with_for_update() if is_used else query)
    if row is None:
        raise NotFound(ENDED)
    return row


def find_wanted_email(user: User) -> str | None:
    """The address that waits to be confirmed."""
    return db.session.scalar(
        select(EmailChange.email).where(
            EmailChange.user_id == user.id, EmailChange.expires_at > now()
        )
    )


def confirm_email_change(user: User, token: str) -> None:
    """Give the account its new address and tell the old one. Links to choose a new password that
    went to the old one are dead. Raises `NotFound` when the link has ended."""
    row = find_email_change(user, token, is_used=True)
    if find_user(row.email):
        raise NotFound(ENDED)  # somebody has signed up with it meanwhile
    before, user.email = user.email, row.email
    user.is_email_proved = True
    db.session.delete(row)
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    db.session.flush()
    record("account.email", user.email, actor=user, organisation_id=None, before=before)
    _write(user, before, user.email, "Your address was changed", CHANGED, old=before)


def _write(
    user: User, recipient: str, new: str, subject: str, text: str, path: str = "", old: str = ""
) -> None:
    settings = installation().settings
    facts = {
        "name": user.name,
        "old": old or user.email,
        "new": new,
        "panel": settings.panel_name,
        "link": settings.panel_url + (path or "/account/sessions/"),
    }
    post_mail(recipient, f"{subject} on {settings.panel_name}", text.format(**facts))
