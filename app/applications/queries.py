"""Finding applications, and what a person may do with one."""

from __future__ import annotations

from sqlalchemy import Select, and_, or_, select

from app.accounts.models import User
from app.applications.models import Application, Collaborator
from app.extensions import db
from app.organisations.models import Member
from app.permissions import Permission, Role, rights_of

_BY_ROLE = (Role.OWNER, Role.ADMINISTRATOR)


def find_application(slug: str) -> Application | None:
    return db.session.scalar(select(Application).where(Application.slug == slug))


def rights_on(application: Application, user: User) -> frozenset[Permission]:
    """All the person may do with it; empty for those who may not know that it exists."""
    found = db.session.execute(
        select(Member.role, Collaborator.access)
        .outerjoin(
            Collaborator,
            and_(
                Collaborator.user_id == Member.user_id,
                Collaborator.application_id == application.id,
            ),
        )
        .where(Member.user_id == user.id, Member.organisation_id == application.organisation_id)
    ).one_or_none()
    if found is None:
        return frozenset()
    role, access = found
    return rights_of(role, access) if role in _BY_ROLE or access else frozenset()


def list_applications(user: User) -> Select[Application]:
    """What the person may look at, by name: all of an organisation for owners and administrators,
    what they were given for regular members (A6)."""
    by_role = (
        select(Member.organisation_id)
        .where(Member.user_id == user.id, Member.role.in_(_BY_ROLE))
        .scalar_subquery()
    )
    given = (
        select(Collaborator.application_id)
        .join(Application, Application.id == Collaborator.application_id)
        .join(
            Member,
            and_(
                Member.organisation_id == Application.organisation_id,
                Member.user_id == Collaborator.user_id,
            ),
        )
        .where(Collaborator.user_id == user.id)
        .scalar_subquery()
    )
    return (
        select(Application)
        .where(or_(Application.organisation_id.in_(by_role), Application.id.in_(given)))
        .order_by(Application.name, Application.id)
    )
