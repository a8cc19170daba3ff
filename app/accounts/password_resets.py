"""Choosing a new password by a link in a mail, for who has forgotten theirs."""

from __future__ import annotations

import datetime
import hashlib
import secrets

from sqlalchemy import Select, delete, select

from app.accounts.letters import tell_of_change
from app.accounts.models import PasswordReset, User
from app.accounts.operations import hash_password, remove_ssh_key, revoke_access_token
from app.accounts.queries import find_user, hash_token
from app.accounts.sign_ins import end_sign_ins
from app.adapters.job_queue import Queue
from app.audit.operations import record
from app.errors import NotFound
from app.extensions import db, now
from app.installation import installation
from app.mails.operations import post_mail
from app.names import clean_email

SEND_JOB = "app.accounts.jobs.send_password_reset"
VALID = datetime.timedelta(hours=1)
ENDED = "This link has been used, or its hour is over. Ask for a new one."
LETTER = """\
Hello {name},

somebody, probably you, has forgotten the password of {email} on {panel}.
Choose a new one here:

    {link}

The link works once and for one hour. It asks for nothing but the new password.

If that was not you, do nothing: your password stays as it is, and nobody but you has
got this link. If such mails keep coming, tell whoever runs {panel}.

Moonbase
"""


def request_password_reset(email: str) -> None:
    """Have a worker look whether somebody has this address, and mail them a link.

    Nothing is looked up here, so that neither the answer nor its time tells who has an account.
    Raises `Invalid` for what is no address, and `Unavailable` when no worker can be asked: unlike
    other jobs this one has no row that says it is due, so the person has to try again.
    """
    address = clean_email(email)
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    key = f"password-reset-{digest}-{int(now().timestamp()) // 10}"  # a form sent twice: one mail
    installation().adapters.job_queue.enqueue(Queue.OPERATIONS, SEND_JOB, address, key=key)


def send_password_reset(email: str) -> None:
    """Mail a new link to the person with this address, if there is one; older ones are dead."""
    user = find_user(email)
    if user is None:
        return
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    token = secrets.token_urlsafe(32)
    row = PasswordReset(user=user, token_hash=hash_token(token), expires_at=now() + VALID)
    db.session.add(row)
    settings = installation().settings
    text = LETTER.format(
        name=user.name,
        email=user.email,
        panel=settings.panel_name,
        link=f"{settings.panel_url}/account/reset-password/{token}/",
    )
    post_mail(user.email, f"Choose a new password for {settings.panel_name}", text)
    record("account.password.forgotten", user.email, actor=None, organisation_id=None)


def find_password_reset(token: str) -> PasswordReset | None:
    """What a link stands for, unless it has ended."""
    return db.session.scalar(_by_token(token))


def _by_token(token: str) -> Select[PasswordReset]:
    return select(PasswordReset).where(
        PasswordReset.token_hash == hash_token(token), PasswordReset.expires_at > now()
    )


def reset_password(token: str, password: str) -> User:
    """Set a new password by a link's token, which is used up. Every browser of the person is
    signed out; their second factor stays, and is asked for at the next sign-in. So do their keys
    and tokens, but for those of an account whose address nobody had proved before: somebody else
    may have made it, to wait for its owner.

    Raises `NotFound` when the link has ended, `Invalid` for a short password.
    """
    # Two who use it at once: the second waits here, and finds it gone.
    row = db.session.scalar(_by_token(token).with_for_update())
    if row is None:
        raise NotFound(ENDED)
    user = row.user
    user.password_hash = hash_password(password)
    db.session.delete(row)
    end_sign_ins(user)
    record("account.password.reset", user.email, actor=user, organisation_id=None)
    what = "A new password was chosen by a link in a mail"
    if not user.is_email_proved:
        _begin_anew(user)
        what += ", and all keys and tokens of before were removed"
    tell_of_change(user, what)
    return user


def _begin_anew(user: User) -> None:
    """Whoever reads the mails of the address has the account from now on, and nobody else."""
    for token in list(user.access_tokens):
        revoke_access_token(user, token)
    for key in list(user.ssh_keys):
        remove_ssh_key(user, key)
    user.is_email_proved = True
