"""Deleting a person's account, with what is theirs alone (checklist Part 2, “deletion”)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from app.accounts.models import User
from app.accounts.operations import confirm_password
from app.accounts.operators import dismiss_operator
from app.addons.models import Addon, InstalledAddon
from app.applications.models import Application
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db
from app.installation import installation
from app.lifecycle.organisations import delete_organisation
from app.mails.operations import post_mail
from app.organisations.models import Member, Organisation
from app.organisations.queries import list_memberships
from app.permissions import Role

LETTER = """\
Hello {name},

your account {email} on {panel} is deleted, as you asked.
Your keys, tokens and sign-ins are gone with it. This was the last mail to you.

If that was not you, tell whoever runs {panel} at once.

Moonbase
"""


@dataclass(frozen=True)
class Holding:
    """An organisation whose only owner is the person, with how much there is in it."""

    organisation: Organisation
    members: int
    applications: int
    """Those in the trash included."""
    addons: int
    used_addons: int
    """Those of `addons` that sites of others have."""

    @property
    def is_theirs_alone(self) -> bool:
        """Nobody else is in it or needs what belongs to it: it may go with the account."""
        return self.members == 1 and self.applications == 0 and self.used_addons == 0


def list_holdings(user: User) -> Sequence[Holding]:
    """The organisations that would be left without an owner, by name, in one query."""
    own = aliased(Member)
    inside = Member.organisation_id == Organisation.id
    members = select(func.count(Member.id)).where(inside)
    owners = members.where(Member.role == Role.OWNER)
    sites = select(func.count(Application.id)).where(Application.organisation_id == Organisation.id)
    addons = select(func.count(Addon.id.distinct())).where(Addon.organisation_id == Organisation.id)
    used = addons.join(InstalledAddon).where(InstalledAddon.removed_at.is_(None))
    counts = [members, sites, addons, used]
    rows = db.session.execute(
        select(
            Organisation,
            *(count.correlate(Organisation).scalar_subquery() for count in counts),
        )
        .join(own, own.organisation_id == Organisation.id)
        .where(own.user_id == user.id, own.role == Role.OWNER)
        .where(owners.correlate(Organisation).scalar_subquery() == 1)
        .order_by(Organisation.name, Organisation.id)
    )
    return [Holding(*row) for row in rows]


def is_last_operator(user: User) -> bool:
    """Whether nobody else looks after the installation."""
    operators = db.session.scalars(select(User.id).where(User.is_operator).limit(2)).all()
    return list(operators) == [user.id]


def delete_account(user: User, password: str) -> None:
    """Delete the person with keys, tokens, sign-ins, memberships, and the empty organisations of
    theirs alone. Sites, deployments and audit lines stay, and running deployments run on.

    Raises `Invalid` for a wrong password, for who is the only owner of an organisation
    that somebody or something else is in, and for the last operator.
    """
    confirm_password(user, password)
    _lock_organisations(user)
    holdings = list_holdings(user)
    if not all(holding.is_theirs_alone for holding in holdings):
        raise Invalid("You are the only owner of an organisation that is still needed.")
    if user.is_operator:
        dismiss_operator(user, user)
    _leave(user, {holding.organisation.id for holding in holdings})
    for holding in holdings:
        delete_organisation(holding.organisation, user)
    record("account.delete", user.email, actor=user, organisation_id=None)
    panel = installation().settings.panel_name
    text = LETTER.format(name=user.name, email=user.email, panel=panel)
    post_mail(user.email, f"Your account on {panel} is deleted", text)
    db.session.delete(user)


def _lock_organisations(user: User) -> None:
    """Two owners must not leave the same organisation at once; SQLite has locked everything."""
    theirs = select(Member.organisation_id).where(
        Member.user_id == user.id, Member.role == Role.OWNER
    )
    rows = select(Organisation).where(Organisation.id.in_(theirs)).order_by(Organisation.id)
    db.session.scalars(rows.with_for_update(key_share=True)).all()


def _leave(user: User, but: set[int]) -> None:
    for member in list_memberships(user):
        if member.organisation_id not in but:
            record(
                "member.leave",
                user.email,
                actor=user,
                organisation_id=member.organisation_id,
                role=member.role.value,
            )
            db.session.delete(member)
    db.session.flush()
