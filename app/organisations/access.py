"""Loading an organisation for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.organisations import queries
from app.organisations.models import Member, Organisation
from app.organisations.second_factor import demand_second_factor
from app.permissions import ORGANISATION_RIGHTS
from app.web.access import authorise, hide


def load_organisation(slug: str) -> Organisation:
    """The organisation, if the person has the right the endpoint names.

    Strangers get `NotFound`, members without the right `NotAllowed`, and members who have not
    shown a second factor where the organisation wants one `SecondFactorNeeded`.
    """
    member = load_membership(slug)
    demand_second_factor(member.organisation, signed_in())
    authorise(ORGANISATION_RIGHTS[member.role])
    return member.organisation


def load_membership(slug: str) -> Member:
    """The person's own membership, for acts on that alone; `NotFound` for strangers."""
    organisation = queries.find_organisation(slug)
    member = queries.find_member(organisation.id, signed_in().id) if organisation else None
    if member is None:
        raise hide("organisation")
    return member
