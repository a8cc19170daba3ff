"""Deleting an organisation: only an empty one, for what it owned could not be kept."""

from __future__ import annotations

from app.accounts.models import User
from app.applications.queries import count_applications
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db
from app.organisations.models import Organisation


def delete_organisation(organisation: Organisation, actor: User) -> None:
    """Delete it with its memberships and invitations; the audit lines stay.

    Raises `Invalid` as long as it has applications, those in the trash included.
    """
    db.session.refresh(organisation, with_for_update=True)  # nobody creates one meanwhile
    in_use, trashed = count_applications(organisation.id)
    if in_use or trashed:
        raise Invalid("It still has applications. Delete or give them away first.")
    record(
        "organisation.delete",
        organisation.name,
        actor=actor,
        organisation_id=organisation.id,
        members=[member.user.email for member in organisation.members],
    )
    db.session.delete(organisation)
