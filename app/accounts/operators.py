"""Who looks after the installation itself."""

from __future__ import annotations

from sqlalchemy import delete, select

from app.accounts.models import SignIn, User
from app.audit.operations import Actor, record
from app.errors import Invalid
from app.extensions import db


def appoint_operator(user: User, actor: Actor | None) -> None:
    """Let a person look after the installation; again is no error."""
    if not user.is_operator:
        user.is_operator = True
        record("operator.add", user.email, actor=actor, organisation_id=None)


def dismiss_operator(user: User, actor: Actor | None) -> None:
    """Take that right away. Raises `Invalid` for the last one: nobody could give it back."""
    # Two operators must not take each other's right away; SQLite has locked everything already.
    operators = select(User.id).where(User.is_operator).order_by(User.id).with_for_update()
    if list(db.session.scalars(operators)) == [user.id]:
        raise Invalid("This is the last operator. Make somebody else one first.")
    if user.is_operator:
        user.is_operator = False
        record("operator.remove", user.email, actor=actor, organisation_id=None)


def sign_out_everywhere(user: User, actor: Actor) -> None:
    """End every browser session of a person, e.g. after a computer was lost."""
    db.session.execute(delete(SignIn).where(SignIn.user_id == user.id))
    record("account.sign_out_everywhere", user.email, actor=actor, organisation_id=None)
