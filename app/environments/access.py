"""Loading an environment for the person who asks, or refusing them."""

from __future__ import annotations

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
    return environment
