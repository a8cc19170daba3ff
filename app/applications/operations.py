"""Making applications and giving people access to them."""

from __future__ import annotations

from app.accounts.models import User
from app.accounts.queries import find_user
from app.applications import queries
from app.applications.models import Application, Collaborator, Starter
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db
from app.names import clean_application_slug, clean_email, clean_name
from app.organisations.models import Organisation
from app.organisations.queries import find_member
from app.permissions import Access, Role


def create_application(
    organisation: Organisation, name: str, slug: str, starter: Starter, actor: User
) -> Application:
    """A new application; a regular member who makes one becomes its collaborator (checklist 3)."""
    address = clean_application_slug(slug)
    if queries.is_slug_taken(address):
        raise Invalid(f"“{address}” is taken. Choose another address name.", "slug")
    application = Application(
        organisation=organisation, name=clean_name(name), slug=address, starter=starter
    )
    member = find_member(organisation.id, actor.id)
    if member and member.role == Role.REGULAR:
        own = Collaborator(user=actor, member_id=member.id, access=Access.COLLABORATOR)
        application.collaborators.append(own)
    db.session.add(application)
    db.session.flush()
    record("application.create", address, actor=actor, organisation_id=organisation.id)
    return application


def rename_application(application: Application, name: str, actor: User) -> None:
    """Give it another name; slug and addresses stay."""
    before, application.name = application.name, clean_name(name)
    record(
        "application.rename",
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        before=before,
        after=application.name,
    )


def add_collaborator(application: Application, email: str, access: Access, actor: User) -> None:
    """Give access to a member of the organisation (checklist 4); again to change it.

    Raises `Invalid` for anybody else, for those who work on everything by their role, and for a
    site editor who would be given more than content.
    """
    user = find_user(clean_email(email))
    member = find_member(application.organisation_id, user.id) if user else None
    if user is None or member is None:
        raise Invalid("Only members of the organisation can be given access.", "email")
    if member.role in (Role.OWNER, Role.ADMINISTRATOR):
        raise Invalid("Owners and administrators work on every application anyway.", "email")
    if member.role == Role.SITE_EDITOR and access != Access.EDITOR:
        raise Invalid(
            f"{user.name} is a site editor and can be given the content only. Make them a regular "
            "member first.",
            "access",
        )
    present = next((row for row in application.collaborators if row.user_id == user.id), None)
    before = present.access.value if present else None
    if present:
        present.access = access
    else:
        row = Collaborator(user=user, member_id=member.id, access=access)
        application.collaborators.append(row)
    record(
        "collaborator.change" if present else "collaborator.add",
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        before=before,
        after=access.value,
        email=user.email,
    )


def remove_collaborator(application: Application, collaborator: Collaborator, actor: User) -> None:
    """Take access away again."""
    record(
        "collaborator.remove",
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        before=collaborator.access.value,
        email=collaborator.user.email,
    )
    db.session.delete(collaborator)
