"""Loading a service for the person who asks, or refusing them."""

from __future__ import annotations

from app.environments.access import load_environment
from app.services.models import ServiceInstance, ServiceShare
from app.services.queries import find_instance, find_share
from app.web.access import hide


def load_instance(application_slug: str, environment_slug: str, uuid: str) -> ServiceInstance:
    """The instance, if the person has the right the endpoint names on its application."""
    environment = load_environment(application_slug, environment_slug)
    row = find_instance(environment.id, uuid)
    if row is None:
        raise hide("service")
    return row


def load_share_of(
    application_slug: str, environment_slug: str, instance_uuid: str, uuid: str
) -> ServiceShare:
    """A share of one of its instances, likewise."""
    instance = load_instance(application_slug, environment_slug, instance_uuid)
    share = find_share(uuid)
    if share is None or share.instance_id != instance.id:
        raise hide("share")
    return share


def load_share_with(application_slug: str, environment_slug: str, uuid: str) -> ServiceShare:
    """What another environment shares with this one, likewise."""
    environment = load_environment(application_slug, environment_slug)
    share = find_share(uuid)
    if share is None or share.environment_id != environment.id:
        raise hide("share")
    return share
