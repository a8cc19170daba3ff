"""What several pages of an addon's authors share."""

from __future__ import annotations

from flask import render_template

from app.accounts.models import User
from app.addons.author_forms import AddonCollaboratorForm, NewAddonForm
from app.addons.models import Addon
from app.organisations.queries import list_members_of_roles, list_memberships
from app.organisations.second_factor import lets_in
from app.permissions import ORGANISATION_RIGHTS, Permission, Role


def show(template: str, addon: Addon, **found: object) -> str:
    """A page below the tabs of `addon`."""
    return render_template(template, addon=addon, **found)


def registration_form(user: User) -> NewAddonForm:
    """The form of a new addon, with the organisations the person may register one for."""
    form = NewAddonForm()
    form.organisation.choices = [
        (row.organisation.slug, row.organisation.name)
        for row in list_memberships(user)
        if Permission.ADDON_CREATE in ORGANISATION_RIGHTS[row.role]
        and lets_in(row.organisation, user)
    ]
    return form


def show_collaborators(addon: Addon, form: AddonCollaboratorForm) -> str:
    """Who works on it, and the form that gives access to regular members who do not."""
    taken = {row.user_id for row in addon.collaborators}
    regular = list_members_of_roles(addon.organisation_id or 0, (Role.REGULAR,))
    form.offer([row for row in regular if row.user_id not in taken])
    given = [row for row in regular if row.user_id in taken]
    return show(
        "addons/collaborators.html",
        addon,
        form=form,
        given=[row for row in addon.collaborators if row.user_id in {m.user_id for m in given}],
    )
