"""The browsers in which people are signed in: a row each, so that each can be signed out."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from app.accounts.models import SignIn, User
from app.accounts.queries import hash_token
from app.audit.operations import record
from app.extensions import db, now

IDLE = datetime.timedelta(hours=12)
"""An unused sign-in lasts through a working day and its breaks, and one that was left open on a
shared computer is dead the next morning."""
KEPT = datetime.timedelta(days=30)
"""The same for who asked to stay signed in: somebody who looks in once a month still is."""
SEEN_EVERY = datetime.timedelta(minutes=5)
"""How exact `seen_at` is: a write for every page would be dear, and tells nobody more."""
AGENT_LENGTH = 200


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from: its IP address and its User-Agent, both in the sender's words."""

    address: str = ""
    agent: str = ""


def open_sign_in(
    user: User, visitor: Visitor, *, is_kept: bool = False, has_second_factor: bool = False
) -> str:
    """Add the row of a new browser and return the key its cookie carries, which is kept nowhere.

    The person's sign-ins that have ended by themselves are cleaned away on this occasion.
    """
    moment = now()
    db.session.execute(delete(SignIn).where(SignIn.user_id == user.id, SignIn.expires_at <= moment))
    key = secrets.token_urlsafe(32)
    row = SignIn(
        user=user,
        key_hash=hash_token(key),
        address=visitor.address,
        agent="".join(filter(str.isprintable, visitor.agent))[:AGENT_LENGTH],
        seen_at=moment,
        expires_at=moment + (KEPT if is_kept else IDLE),
        second_factor_at=moment if has_second_factor else None,
    )
    db.session.add(row)
    return key


def record_sign_in(user: User, *, has_second_factor: bool) -> None:
    """The audit line of a sign-in, for the person's own history."""
    shown = "password and second factor" if has_second_factor else "password"
    record("account.sign_in", user.email, actor=user, organisation_id=None, shown=shown)


def end_sign_in(sign_in: SignIn) -> None:
    """Sign one browser out; every copy of its cookie is dead from then on."""
    user = sign_in.user
    record(
        "account.sign_out",
        user.email,
        actor=user,
        organisation_id=None,
        signed_out=sign_in.uuid,
    )
    db.session.delete(sign_in)


def end_sign_ins(user: User, *, but: SignIn | None = None) -> int:
    """Sign all browsers of a person out, `but` the one named. Returns how many there were."""
    rows = [row for row in list_sign_ins(user) if but is None or row.id != but.id]
    for row in rows:
        end_sign_in(row)
    return len(rows)


def note_visit(sign_in_id: int) -> None:
    """Write down that the browser has just been used; it lasts as long again as it did at first."""
    row = db.session.get(SignIn, sign_in_id)
    if row is not None and now() - row.seen_at >= SEEN_EVERY:
        lasts = row.expires_at - row.seen_at
        row.seen_at = now()
        row.expires_at = row.seen_at + lasts


def note_second_factor(sign_in: SignIn) -> None:
    """The person has shown a second factor in this browser."""
    sign_in.second_factor_at = now()


def forget_second_factor(user: User) -> None:
    """There is none any more: no browser has shown it."""
    rows = update(SignIn).where(SignIn.user_id == user.id)
    db.session.execute(rows.values(second_factor_at=None))


def find_sign_in(key: str, moment: datetime.datetime | None = None) -> SignIn | None:
    """The sign-in that a cookie stands for, with its person, unless it has ended."""
    query = select(SignIn).options(joinedload(SignIn.user))
    is_open = SignIn.expires_at > (moment or now())
    return db.session.scalar(query.where(SignIn.key_hash == hash_token(key), is_open))


def list_sign_ins(user: User) -> Sequence[SignIn]:
    """All that have not ended, the one used last first."""
    is_open = SignIn.expires_at > now()
    query = select(SignIn).where(SignIn.user_id == user.id, is_open)
    return db.session.scalars(query.order_by(SignIn.seen_at.desc(), SignIn.id.desc())).all()
