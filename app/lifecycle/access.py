"""Loading what lies in the trash for the person who asks, or refusing them."""

from __future__ import annotations

from app.applications.access import load_application
from app.applications.models import Application
from app.domains.models import Domain
from app.environments.models import Environment
from app.errors import NotFound
from app.lifecycle.models import TrashEntry
from app.lifecycle.queries import find_entry, find_trashed_domain
from app.organisations.access import load_organisation
from app.services.models import ServiceInstance
from app.services.queries import find_trashed_instance

GONE = "It is not in the trash any more: it was restored, or deleted for good."


def load_trashed_application(organisation_slug: str, uuid: str) -> tuple[TrashEntry, Application]:
    """The entry and its application, if the person has the right the endpoint names on the
    organisation."""
    organisation = load_organisation(organisation_slug)
    entry = find_entry(uuid)
    application = entry.application if entry else None
    if entry is None or application is None or application.organisation_id != organisation.id:
        raise NotFound(GONE)
    return entry, application


def load_trashed_environment(slug: str, uuid: str) -> tuple[TrashEntry, Environment]:
    """The entry and its environment, if the person has the right the endpoint names on the
    application, which is not in the trash itself."""
    application = load_application(slug)
    entry = find_entry(uuid)
    environment = entry.environment if entry else None
    if entry is None or environment is None or environment.application_id != application.id:
        raise NotFound(GONE)
    return entry, environment


def load_trashed_domain(slug: str, uuid: str) -> tuple[Application, Domain]:
    """The application and its host name in the trash, likewise."""
    application = load_application(slug)
    domain = find_trashed_domain(application.id, uuid)
    if domain is None:
        raise NotFound(GONE)
    return application, domain


def load_trashed_service(slug: str, uuid: str) -> tuple[Application, ServiceInstance]:
    """The application and its service in the trash, likewise."""
    application = load_application(slug)
    row = find_trashed_instance(application.id, uuid)
    if row is None:
        raise NotFound(GONE)
    return application, row
