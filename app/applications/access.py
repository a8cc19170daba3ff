"""Loading an application for the person who asks, or refusing them."""

from __future__ import annotations

from collections.abc import Callable

from app.accounts.access import load_signed_in, signed_in
from app.applications import queries
from app.applications.models import Application
from app.organisations.second_factor import demand_second_factor
from app.permissions import Permission
from app.web.access import authorise, hide


def load_application(slug: str) -> Application:
    """The application, if the person has the right the endpoint names.

    Strangers get `NotFound`, members without the right `NotAllowed`, and members who have not
    shown a second factor where the organisation wants one `SecondFactorNeeded`.
    """
    application = queries.find_application(slug)
    if application is None:
        raise hide("application")
    rights = queries.rights_behind_the_door(application, signed_in())
    if not rights:
        raise hide("application")
    demand_second_factor(application.organisation, signed_in())
    authorise(rights)
    return application


def keeps_right(slug: str, permission: Permission) -> Callable[[], bool]:
    """A question for a page that lives on: whether the person of this request is still signed in
    with this browser, and still has the right, as the database says when it is asked."""
    key = signed_in().sign_in_key

    def ask() -> bool:
        user = load_signed_in(key)
        application = queries.find_application(slug) if user else None
        if user is None or application is None:
            return False
        return permission in queries.rights_on(application, user)

    return ask
