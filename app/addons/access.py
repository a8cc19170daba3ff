"""Loading an addon for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.addons import queries
from app.addons.models import Addon
from app.organisations.second_factor import demand_second_factor
from app.permissions import ADDON_USE
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
