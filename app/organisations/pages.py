"""The page of members, which several views show."""

from __future__ import annotations

from flask import render_template

from app.accounts.access import signed_in
from app.organisations import queries
from app.organisations.forms import InvitationForm
from app.organisations.models import Organisation
from app.permissions import ORGANISATION_RIGHTS, Permission, Role
from app.web.paging import paged


def show_members(organisation: Organisation, form: InvitationForm) -> str:
    """Members and, for those who may change them, what invitations are pending."""
    own = queries.find_member(organisation.id, signed_in().id)
    may_change = own is not None and Permission.MEMBERS_UPDATE in ORGANISATION_RIGHTS[own.role]
    return render_template(
        "organisations/members.html",
        organisation=organisation,
        own=own,
        page=paged(queries.list_members(organisation.id)),
        invitations=queries.list_invitations(organisation.id) if may_change else [],
        owners=queries.count_owners(organisation.id),
        may_change=may_change,
        form=form,
        roles=list(Role),
    )
