"""Loading an addon for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.accounts.models import AccessToken
from app.addons import queries
from app.addons.models import Addon
from app.errors import NotAllowed
from app.organisations.second_factor import demand_second_factor
from app.permissions import ADDON_USE, Permission
from app.web.access import authorise, hide


def load_addon(package_name: str) -> Addon:
    """The addon, if the person has the right the endpoint names.

    Strangers get `NotFound`, those who may use it without the right `NotAllowed`, and members who
    have not shown a second factor where its organisation wants one `SecondFactorNeeded`.
    """
    addon = queries.find_addon(package_name)
    if addon is None:
        raise hide("addon")
    rights = queries.rights_behind_the_door(addon, signed_in())
    if not rights:
        raise hide("addon")
    if addon.organisation is not None and not rights <= ADDON_USE:
        demand_second_factor(addon.organisation, signed_in())
    authorise(rights)
    return addon


def authorise_by_token(addon: Addon | None, token: AccessToken, permission: Permission) -> None:
    """Return only if whoever shows `token` may do this with the addon.

    Raises `NotFound` for strangers, `NotAllowed` for those without the right, saying when it is
    the token that lacks it, and `SecondFactorNeeded`.
    """
    rights = queries.rights_behind_the_door(addon, token.user) if addon else frozenset()
    owner = addon.organisation_id if addon else None
    granted = token.limit(rights, owner) if owner else rights & ADDON_USE
    if addon is None or Permission.ADDON_READ not in granted:
        raise hide("addon")
    if addon.organisation is not None and permission not in ADDON_USE:
        demand_second_factor(addon.organisation, token.user)
    if permission not in rights:
        raise NotAllowed(f"You may use “{addon.package_name}”, but not work on it.")
    if permission not in granted:
        raise NotAllowed(
            f"The token “{token.name}” lets you look at “{addon.package_name}”, but not work on "
            "it. Make one that may work on sites."
        )
