"""Finding organisations, and the role a person has in one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from app.accounts.models import User
from app.accounts.queries import hash_token
from app.extensions import db
from app.organisations.models import Invitation, Member, Organisation
from app.permissions import Role
from app.transactions import once_a_reading


def find_organisation(slug: str) -> Organisation | None:
    return db.session.scalar(select(Organisation).where(Organisation.slug == slug))


def list_organisations(user: User) -> Sequence[Organisation]:
    """Those the person is a member of, by name."""
    return [row.organisation for row in list_memberships(user)]


@once_a_reading
def list_memberships(user: User) -> Sequence[Member]:
    """The person's memberships with their organisations, by name of these."""
    return db.session.scalars(
        select(Member)
        .join(Organisation)
        .where(Member.user_id == user.id)
        .order_by(Organisation.name, Organisation.id)
        .options(joinedload(Member.organisation))
    ).all()


def find_member(organisation_id: int, user_id: int) -> Member | None:
    return db.session.scalar(
        select(Member).where(Member.organisation_id == organisation_id, Member.user_id == user_id)
    )


def find_member_by_email(organisation_id: int, email: str) -> Member | None:
    """By casefolded address; tells of members only, never whether there is an account."""
    return db.session.scalar(
        select(Member)
        .join(User, User.id == Member.user_id)
        .where(Member.organisation_id == organisation_id, User.email == email)
    )


def find_invited_member(user_id: int, token: str) -> Member | None:
    """The membership that this invitation link made for this person."""
    return db.session.scalar(
        select(Member).where(Member.user_id == user_id, Member.invitation_hash == hash_token(token))
    )


def list_members(organisation_id: int) -> Select[Member]:
    """Members with their people, in the order they came, as a query to page through."""
    return (
        select(Member)
        .where(Member.organisation_id == organisation_id)
        .order_by(Member.id)
        .options(joinedload(Member.user))
    )


def list_members_of_roles(organisation_id: int, roles: Collection[Role]) -> Sequence[Member]:
    """Members who have one of `roles`, with their people, by name."""
    return db.session.scalars(
        select(Member)
        .join(User, User.id == Member.user_id)
        .where(Member.organisation_id == organisation_id, Member.role.in_(roles))
        .order_by(User.name, Member.id)
        .options(joinedload(Member.user))
    ).all()


def list_members_without_second_factor(organisation_id: int) -> Sequence[Member]:
    """Who would be kept out if the organisation asked for one, with their people."""
    return db.session.scalars(
        select(Member)
        .join(User, User.id == Member.user_id)
        .where(
            Member.organisation_id == organisation_id,
            User.totp_secret.is_(None),
            ~User.passkeys.any(),
        )
        .order_by(Member.id)
        .options(joinedload(Member.user))
    ).all()


def count_owners(organisation_id: int) -> int:
    counted = select(func.count(Member.id)).where(
        Member.organisation_id == organisation_id, Member.role == Role.OWNER
    )
    return db.session.scalar(counted) or 0


def count_members(organisation_id: int) -> int:
    counted = select(func.count(Member.id)).where(Member.organisation_id == organisation_id)
    return db.session.scalar(counted) or 0


def find_invitation(token: str) -> Invitation | None:
    """By what its link carries, expired or not."""
    return db.session.scalar(select(Invitation).where(Invitation.token_hash == hash_token(token)))


def find_invitation_to(organisation_id: int, email: str) -> Invitation | None:
    return db.session.scalar(
        select(Invitation).where(
            Invitation.organisation_id == organisation_id, Invitation.email == email
        )
    )


def find_invitation_of(organisation_id: int, uuid: str) -> Invitation | None:
    return db.session.scalar(
        select(Invitation).where(
            Invitation.organisation_id == organisation_id, Invitation.uuid == uuid
        )
    )


def list_invitations(organisation_id: int) -> Sequence[Invitation]:
    """Pending and expired ones with who invited, newest first."""
    return db.session.scalars(
        select(Invitation)
        .where(Invitation.organisation_id == organisation_id)
        .order_by(Invitation.id.desc())
        .options(joinedload(Invitation.invited_by))
    ).all()
