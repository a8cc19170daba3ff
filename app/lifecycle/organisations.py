"""Deleting an organisation: only an empty one, for what it owned could not be kept."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.models import User
from app.addons.deletion import delete_addons
from app.addons.models import Addon, InstalledAddon
from app.applications.queries import count_applications
from app.audit.operations import record
from app.deployments.models import CurrentRelease, Release
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db
from app.organisations.models import Organisation


def list_needed_addons(organisation_id: int) -> Sequence[Addon]:
    """Its addons that a site has, or still runs although it was removed there, by name."""
    rows = db.session.scalars(
        select(InstalledAddon)
        .join(Addon)
        .where(Addon.organisation_id == organisation_id)
        .options(joinedload(InstalledAddon.addon))
    ).all()
    removed = [row.application_id for row in rows if row.removed_at]
    running = db.session.execute(
        select(Environment.application_id, Release.contributions)
        .join(Release, Release.environment_id == Environment.id)
        .join(CurrentRelease, CurrentRelease.release_id == Release.id)
        .where(Environment.application_id.in_(removed))
    ).all()
    runs = {
        (application_id, name)
        for application_id, contributions in running
        for name in contributions.get("addons", {})
    }
    needed = {
        row.addon
        for row in rows
        if row.removed_at is None or (row.application_id, row.addon.package_name) in runs
    }
    return sorted(needed, key=lambda addon: (addon.name, addon.id))


def delete_organisation(organisation: Organisation, actor: User) -> None:
    """Delete it with its memberships, invitations and addons; the audit lines stay.

    Raises `Invalid` as long as it has applications, those in the trash included, or addons that
    run on sites of others.
    """
    db.session.refresh(organisation, with_for_update=True)  # nobody creates one meanwhile
    in_use, trashed = count_applications(organisation.id)
    if in_use or trashed:
        raise Invalid("It still has applications. Delete or give them away first.")
    needed = list_needed_addons(organisation.id)
    if needed:
        names = ", ".join(addon.name for addon in needed)
        raise Invalid(f"Sites of others run its addons: {names}. They must be removed there first.")
    record(
        "organisation.delete",
        organisation.name,
        actor=actor,
        organisation_id=organisation.id,
        members=[member.user.email for member in organisation.members],
        addons=delete_addons(organisation.id),
    )
    db.session.delete(organisation)
