"""Inviting people by mail: sending, sending again, taking back, accepting."""

from __future__ import annotations

import datetime
import secrets

from app.accounts.models import User
from app.accounts.operations import create_user
from app.accounts.queries import hash_token
from app.audit.operations import record
from app.errors import Invalid, NotAllowed, NotFound
from app.extensions import db, now
from app.names import clean_email
from app.organisations import queries
from app.organisations.letters import send_invitation
from app.organisations.models import Invitation, Member, Organisation
from app.organisations.operations import only_owners_make_owners
from app.permissions import Role

DAYS = 7
PAUSE = datetime.timedelta(minutes=1)
"""Between two mails of one invitation: nobody's mailbox is flooded by a button."""


def invite(organisation: Organisation, email: str, role: Role, actor: User) -> Invitation:
    """Ask somebody by mail to become a member (A5). Says nothing of whether they have an account.

    Raises `Invalid` for an address that belongs to a member or has been invited already.
    """
    address = clean_email(email)
    only_owners_make_owners(organisation, role, actor)
    if queries.find_member_by_email(organisation.id, address):
        raise Invalid("They are a member already.", "email")
    if queries.find_invitation_to(organisation.id, address):
        raise Invalid(
            "They have been invited already. Send that invitation again, or take it back first.",
            "email",
        )
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        organisation=organisation, email=address, role=role, invited_by=actor, **_fresh(token)
    )
    db.session.add(invitation)
    db.session.flush()
    send_invitation(invitation, token, DAYS)
    _record("invitation.send", invitation, actor)
    return invitation


def resend(invitation: Invitation, actor: User) -> None:
    """Mail a new link, valid for another 7 days; the one before is dead. Once a minute at most."""
    only_owners_make_owners(invitation.organisation, invitation.role, actor)
    if now() - invitation.sent_at < PAUSE:
        raise Invalid("It was sent less than a minute ago. Give the mail a moment to arrive.")
    token = secrets.token_urlsafe(32)
    for name, value in _fresh(token).items():
        setattr(invitation, name, value)
    invitation.invited_by = actor
    db.session.flush()
    send_invitation(invitation, token, DAYS)
    _record("invitation.resend", invitation, actor)


def revoke(invitation: Invitation, actor: User) -> None:
    """Take it back: its link opens nothing any more."""
    only_owners_make_owners(invitation.organisation, invitation.role, actor)
    _record("invitation.revoke", invitation, actor)
    db.session.delete(invitation)


def accept(invitation: Invitation, user: User, token: str) -> Member:
    """Make the invited person a member; who is one already keeps their role. Either way the
    invitation goes. Raises `NotAllowed` for anybody else, and `Invalid` when it has expired."""
    refuse_expired(invitation)
    if user.email != invitation.email:
        raise NotAllowed(f"This invitation is for {invitation.email}. Sign in with that address.")
    organisation = invitation.organisation
    member = queries.find_member(organisation.id, user.id)
    if member is None:
        member = Member(
            organisation=organisation,
            user=user,
            role=invitation.role,
            invitation_hash=hash_token(token),
        )
        db.session.add(member)
        _record("invitation.accept", invitation, user)
    db.session.delete(invitation)
    db.session.flush()
    return member


def accept_as_new(invitation: Invitation, name: str, password: str, token: str) -> User:
    """Make an account for the invited address, which holding the link proves, and accept. Also
    where sign-up is closed. No organisation of their own: they come to work in this one."""
    refuse_expired(invitation)
    user = create_user(invitation.email, name, password)
    accept(invitation, user, token)
    return user


def refuse_expired(invitation: Invitation) -> None:
    """Raises `Invalid` after 7 days."""
    if invitation.expires_at <= now():
        raise Invalid(
            "This invitation has expired. Ask "
            f"{invitation.invited_by.name if invitation.invited_by else 'an owner'} "
            "to send it again."
        )


def gone() -> NotFound:
    """The answer to every link that opens nothing, whatever the reason."""
    return NotFound(
        "There is no such invitation. It was accepted already, taken back, or replaced by a newer "
        "mail: look for that one, or ask who invited you to send it again."
    )


def _fresh(token: str) -> dict[str, object]:
    moment = now()
    return {
        "token_hash": hash_token(token),
        "sent_at": moment,
        "expires_at": moment + datetime.timedelta(days=DAYS),
    }


def _record(action: str, invitation: Invitation, actor: User) -> None:
    record(
        action,
        invitation.email,
        actor=actor,
        organisation_id=invitation.organisation_id,
        role=invitation.role.value,
    )
