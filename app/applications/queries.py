"""Finding applications, and what a person may do with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, false, func, or_, select
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from app.accounts.models import AccessToken, User
from app.applications.models import Application, Collaborator
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.organisations.queries import list_memberships
from app.organisations.second_factor import has_shown_second_factor, lets_in
from app.permissions import Access, Permission, Role, accesses_with, rights_of
from app.transactions import once_a_reading

_BY_ROLE = (Role.OWNER, Role.ADMINISTRATOR)


def find_application(slug: str) -> Application | None:
    """With its organisation. Not one in the trash: its pages and repository are nobody's until it
    is restored."""
    found = db.session.execute(
        select(Application, Organisation)
        .join(Application.organisation)
        .where(Application.slug == slug, Application.trashed_at.is_(None))
    ).one_or_none()
    if found is None:
        return None
    application, organisation = found
    # Not by an option of the query: PostgreSQL could not lock the row by it later.
    set_committed_value(application, "organisation", organisation)
    return application


def is_slug_taken(slug: str) -> bool:
    """Whether an application has it, in use or in the trash: there it stays taken."""
    return db.session.scalar(select(Application.id).where(Application.slug == slug)) is not None


def rights_on(application: Application, user: User) -> frozenset[Permission]:
    """All the person may do with it; empty for those who may not know that it exists, and for
    those who have not shown a second factor where its organisation wants one."""
    rights = rights_behind_the_door(application, user)
    return rights if rights and lets_in(application.organisation, user) else frozenset()


def rights_behind_the_door(application: Application, user: User) -> frozenset[Permission]:
    """What `rights_on` gives once a second factor is shown. Only to tell people what is amiss."""
    roles = {row.organisation_id: row.role for row in list_memberships(user)}
    role = roles.get(application.organisation_id)
    if role is None:
        return frozenset()
    access = _given_to(user).get(application.id)
    return rights_of(role, access) if role in _BY_ROLE or access else frozenset()


@once_a_reading
def _given_to(user: User) -> Mapping[int, Access]:
    """What the person was given, by application: small rows, however many there are."""
    given = select(Collaborator.application_id, Collaborator.access)
    rows = db.session.execute(given.where(Collaborator.user_id == user.id))
    return {row.application_id: row.access for row in rows}


def rights_by_token(application: Application, token: AccessToken) -> frozenset[Permission]:
    """What whoever shows `token` may do with it: never more than its person may, nor than its
    scope holds, and nothing outside of its organisation."""
    return token.limit(rights_on(application, token.user), application.organisation_id)


def list_applications(user: User) -> Select[Application]:
    """What the person may look at, by name: all of an organisation for owners and administrators,
    what they were given for regular members (A6). Organisations that want a second factor which
    was not shown are left out (`list_closed_organisations` names them)."""
    return _list_with(user, Permission.APPLICATION_READ)


def list_sites(user: User) -> Select[Application]:
    """The sites whose name, addresses and content the person sees, by name: `list_applications`
    and what they were given to edit."""
    return _list_with(user, Permission.SITE_READ)


def list_deployable(user: User) -> Select[Application]:
    """Those of `list_applications` that the person may deploy."""
    return _list_with(user, Permission.DEPLOYMENT_CREATE)


def list_with_addons(user: User) -> Select[Application]:
    """Those of `list_applications` whose addons the person may install and remove."""
    return _list_with(user, Permission.ADDONS_UPDATE)


def list_restorable(user: User) -> Select[Application]:
    """Those of `list_applications` whose data the person may overwrite by a backup's."""
    return _list_with(user, Permission.BACKUPS_RESTORE)


def _list_with(user: User, permission: Permission) -> Select[Application]:
    mine = select(Member.organisation_id).where(Member.user_id == user.id)
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
        .where(
            Collaborator.user_id == user.id,
            or_(
                *(
                    and_(
                        Member.role == role,
                        Collaborator.access.in_(accesses_with(role, permission)),
                    )
                    for role in Role
                )
            ),
        )
    )
    if not has_shown_second_factor(user):
        is_open = Organisation.requires_second_factor == false()
        mine = mine.join(Organisation).where(is_open)
        given = given.join(Organisation, Organisation.id == Application.organisation_id)
        given = given.where(is_open)
    by_role = mine.where(Member.role.in_(_BY_ROLE)).scalar_subquery()
    return (
        select(Application)
        .where(
            Application.trashed_at.is_(None),
            or_(
                Application.organisation_id.in_(by_role),
                Application.id.in_(given.scalar_subquery()),
            ),
        )
        .order_by(Application.name, Application.id)
    )


def list_closed_organisations(user: User) -> Sequence[Organisation]:
    """Organisations of the person that want a second factor which was not shown, by name: lists
    leave their applications out, and pages say so."""
    if has_shown_second_factor(user):
        return []
    return db.session.scalars(
        select(Organisation)
        .join(Member)
        .where(Member.user_id == user.id, Organisation.requires_second_factor)
        .order_by(Organisation.name)
    ).all()


def count_applications(organisation_id: int) -> tuple[int, int]:
    """How many an organisation has in use, and how many in the trash."""
    counted = select(func.count(Application.id), func.count(Application.trashed_at)).where(
        Application.organisation_id == organisation_id
    )
    total, trashed = db.session.execute(counted).one()
    return total - trashed, trashed


def list_all_applications(organisation_id: int) -> Sequence[Application]:
    """An organisation's applications by name, those in the trash included."""
    return db.session.scalars(
        select(Application)
        .where(Application.organisation_id == organisation_id)
        .order_by(Application.name, Application.id)
    ).all()


@dataclass(frozen=True)
class Given:
    """One person's access to an application as the list of collaborators shows it."""

    collaborator: Collaborator
    role: Role
    access: Access
    """What they may really do: of whatever was given, a site editor has the content only."""


def list_collaborators(application_id: int) -> Sequence[Given]:
    """Who was given access, with their people and roles, in the order it was given."""
    rows = db.session.execute(
        select(Collaborator, Member.role)
        .join(Member, Member.id == Collaborator.member_id)
        .where(Collaborator.application_id == application_id)
        .order_by(Collaborator.id)
        .options(joinedload(Collaborator.user))
    )
    return [
        Given(row, role, Access.EDITOR if role == Role.SITE_EDITOR else row.access)
        for row, role in rows
    ]


def find_collaborator(application_id: int, collaborator_id: int) -> Collaborator | None:
    return db.session.scalar(
        select(Collaborator).where(
            Collaborator.application_id == application_id, Collaborator.id == collaborator_id
        )
    )


@dataclass(frozen=True)
class Work:
    """What kind of work a person has here: which of the two worlds their pages belong to."""

    edits_sites: bool
    """They were given the content of sites: “Your sites” is theirs."""
    only_edits_sites: bool
    """Nothing else: they never meet an application page."""


def work_of(user: User) -> Work:
    """By their roles and by what they were given."""
    roles = {row.role for row in list_memberships(user)}
    return Work(
        edits_sites=Role.SITE_EDITOR in roles
        or (bool(roles) and Access.EDITOR in _given_to(user).values()),
        only_edits_sites=roles == {Role.SITE_EDITOR},
    )
