"""Loading an environment for the person who asks, or refusing them."""

from __future__ import annotations

from sqlalchemy.orm.attributes import set_committed_value

from app.applications.access import load_application
from app.environments import queries
from app.environments.models import Environment
from app.web.access import hide


def load_environment(application_slug: str, slug: str) -> Environment:
    """The environment, if the person has the right the endpoint names on its application."""
    application = load_application(application_slug)
    environment = queries.find_environment(application.id, slug)
    if environment is None:
        raise hide("environment")
    # It is here already: pages that go from the environment to its application need not ask again.
    set_committed_value(environment, "application", application)
    return environment
