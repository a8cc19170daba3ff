"""Letting operators, and nobody else, at the installation."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.errors import NotFound
from app.installation import Installation, installation
from app.permissions import Permission
from app.platform_status import queries
from app.platform_status.models import Incident
from app.web.access import authorise, hide


def load_installation() -> Installation:
    """The installation, for its operators; to everybody else there is no such page."""
    if not signed_in().is_operator:
        raise hide("page")
    authorise({Permission.INSTALLATION_OPERATE})
    return installation()


def load_incident(uuid: str) -> Incident:
    """An incident, for operators."""
    load_installation()
    incident = queries.find_incident(uuid)
    if incident is None:
        raise NotFound("There is no such incident.")
    return incident
