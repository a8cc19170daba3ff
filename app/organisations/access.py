"""Loading an organisation for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.organisations import queries
from app.organisations.models import Organisation
from app.permissions import ORGANISATION_RIGHTS
from app.web.access import authorise, hide


def load_organisation(slug: str) -> Organisation:
    """The organisation, if the person has the right the endpoint names.

    Strangers get `NotFound`, members without the right `NotAllowed`.
    """
    organisation = queries.find_organisation(slug)
    member = queries.find_member(organisation.id, signed_in().id) if organisation else None
    if organisation is None or member is None:
        raise hide("organisation")
    authorise(ORGANISATION_RIGHTS[member.role])
    return organisation
