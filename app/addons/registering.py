"""For which organisation a new addon is registered by somebody who shows a token."""

from __future__ import annotations

from sqlalchemy import or_, select

from app.accounts.models import AccessToken
from app.errors import Invalid, NotAllowed
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.organisations.queries import list_memberships
from app.organisations.second_factor import demand_second_factor
from app.permissions import ORGANISATION_RIGHTS, Permission

_FIELD = "organisation"


def organisation_to_register_in(token: AccessToken, named: str) -> Organisation:
    """The one `named` by slug or uuid; named none, the only one where they may register addons.

    Raises `Invalid` naming the field, `NotAllowed` where person or token have not the right, and
    `SecondFactorNeeded`.
    """
    member = _find_membership(token, named) if named else _find_only_membership(token)
    if Permission.ADDON_CREATE not in ORGANISATION_RIGHTS[member.role]:
        raise NotAllowed(f"You may not register addons for {member.organisation.name}.")
    if not _lets_register(token, member):
        raise NotAllowed(
            f"The token “{token.name}” does not let you register addons for "
            f"{member.organisation.name}. Make one that may work on sites."
        )
    demand_second_factor(member.organisation, token.user)
    return member.organisation


def _find_membership(token: AccessToken, named: str) -> Member:
    member = db.session.scalar(
        select(Member)
        .join(Organisation)
        .where(
            Member.user_id == token.user_id,
            or_(Organisation.slug == named, Organisation.uuid == named),
        )
    )
    if member is None:
        raise Invalid("There is no such organisation, or you are no member of it.", _FIELD)
    return member


def _find_only_membership(token: AccessToken) -> Member:
    members = list_memberships(token.user)
    able = [member for member in members if _lets_register(token, member)]
    if len(able) == 1:
        return able[0]
    if not able:
        raise NotAllowed(f"The token “{token.name}” does not let you register addons anywhere.")
    names = ", ".join(member.organisation.slug for member in able)
    raise Invalid(f"Name the organisation it is for. One of: {names}.", _FIELD)


def _lets_register(token: AccessToken, member: Member) -> bool:
    rights = ORGANISATION_RIGHTS[member.role]
    return Permission.ADDON_CREATE in token.limit(rights, member.organisation_id)
