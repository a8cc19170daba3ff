"""Finding organisations, and the role a person has in one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from app.accounts.models import User
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.permissions import Role


def find_organisation(slug: str) -> Organisation | None:
    return db.session.scalar(select(Organisation).where(Organisation.slug == slug))


def list_organisations(user: User) -> Sequence[Organisation]:
    """Those the person is a member of, by name."""
    return db.session.scalars(
        select(Organisation)
        .join(Member)
        .where(Member.user_id == user.id)
        .order_by(Organisation.name)
    ).all()


def find_member(organisation_id: int, user_id: int) -> Member | None:
    return db.session.scalar(
        select(Member).where(Member.organisation_id == organisation_id, Member.user_id == user_id)
    )


def count_owners(organisation_id: int) -> int:
    counted = select(func.count(Member.id)).where(
        Member.organisation_id == organisation_id, Member.role == Role.OWNER
    )
    return db.session.scalar(counted) or 0
