"""Loading an application for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.applications import queries
from app.applications.models import Application
from app.web.access import authorise, hide


def load_application(slug: str) -> Application:
    """The application, if the person has the right the endpoint names.

    Strangers get `NotFound`, members without the right `NotAllowed`.
    """
    application = queries.find_application(slug)
    rights = queries.rights_on(application, signed_in()) if application else frozenset()
    if application is None or not rights:
        raise hide("application")
    authorise(rights)
    return application
