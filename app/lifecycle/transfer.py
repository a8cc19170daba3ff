"""Moving an application from one organisation to another that its mover belongs to (A4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts.models import User
from app.applications.models import Application, Collaborator
from app.applications.queries import Given, list_collaborators
from app.audit.operations import record
from app.errors import Conflict, Invalid, NotAllowed
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.organisations.queries import find_member, list_memberships
from app.organisations.second_factor import lets_in
from app.permissions import ORGANISATION_RIGHTS, Access, Permission, Role


@dataclass(frozen=True)
class Consequences:
    """Who keeps and who loses what they were given when an application changes hands."""

    keeping: Sequence[Given]
    losing: Sequence[Given]


def list_targets(application: Application, user: User) -> Sequence[Organisation]:
    """The person's other organisations in which they may create applications, by name."""
    return [
        row.organisation
        for row in list_memberships(user)
        if row.organisation_id != application.organisation_id
        and Permission.APPLICATION_CREATE in ORGANISATION_RIGHTS[row.role]
        and lets_in(row.organisation, user)
    ]


def foresee_transfer(application: Application, target: Organisation) -> Consequences:
    """What `transfer_application` will do to those who were given access."""
    given = list_collaborators(application.id)
    keeping = [row for row in given if find_member(target.id, row.collaborator.user_id)]
    return Consequences(keeping, [row for row in given if row not in keeping])


def transfer_application(application: Application, target: Organisation, actor: User) -> None:
    """Give the application to `target`. Site, address, code, variables, domains, deployments and
    a deployment that runs stay as they are: none of them is the organisation's. Collaborators
    who are no members of `target` lose access; a regular member who moves it works on it.

    Raises `Invalid` or `NotAllowed` for a target that is not the person's to give to, and
    `Conflict` when somebody else was faster.
    """
    source_id = application.organisation_id
    db.session.refresh(application, with_for_update={"key_share": True})
    if application.organisation_id != source_id or application.trashed_at:
        raise Conflict("Somebody else has just moved this application. Reload the page.")
    member = _member_who_may_create(target, actor)
    if target.id == source_id:
        raise Invalid(f"It belongs to {target.name} already.", "organisation")
    source = application.organisation
    losing = _move_collaborators(application, target)
    if member.role == Role.REGULAR:
        _let_work(application, member)
    application.organisation = target
    for action, organisation in (
        ("application.transfer_away", source),
        ("application.transfer_here", target),
    ):
        record(
            action,
            application.slug,
            actor=actor,
            organisation_id=organisation.id,
            before=source.name,
            after=target.name,
            lost_access=losing,
        )


def _member_who_may_create(target: Organisation, actor: User) -> Member:
    member = find_member(target.id, actor.id)
    may_create = member and Permission.APPLICATION_CREATE in ORGANISATION_RIGHTS[member.role]
    if member is None or not may_create or not lets_in(target, actor):
        raise NotAllowed("You can give an application only to organisations you may create in.")
    return member


def _move_collaborators(application: Application, target: Organisation) -> list[str]:
    """Access hangs on a membership: it moves to the one in `target` or ends. Returns the
    addresses of those who lose it."""
    losing = []
    for row in list(application.collaborators):
        member = find_member(target.id, row.user_id)
        if member is None:
            losing.append(row.user.email)
            application.collaborators.remove(row)
        else:
            row.member_id = member.id
    return sorted(losing)


def _let_work(application: Application, member: Member) -> None:
    """Like who creates one there (checklist 3)."""
    own = next((row for row in application.collaborators if row.user_id == member.user_id), None)
    if own is None:
        own = Collaborator(user_id=member.user_id, member_id=member.id)
        application.collaborators.append(own)
    own.access = Access.COLLABORATOR
