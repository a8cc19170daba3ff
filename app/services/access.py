"""Loading a service for the person who asks, or refusing them."""

from __future__ import annotations

from app.environments.access import load_environment
from app.services.models import ServiceInstance
from app.services.queries import find_instance
from app.web.access import hide


def load_instance(application_slug: str, environment_slug: str, uuid: str) -> ServiceInstance:
    """The instance, if the person has the right the endpoint names on its application."""
    environment = load_environment(application_slug, environment_slug)
    row = find_instance(environment.id, uuid)
    if row is None:
        raise hide("service")
    return row
