"""What the matrix of permissions asks about services: rows, forms and addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.extensions import db, now
from app.services.models import ServiceInstance, ServiceServer, ServiceState
from tests.panel import Panel
from tests.services.acting import add, instance

FORMS: Mapping[str, Mapping[str, str]] = {
    "services.rename": {"prefix": "ANOTHER"},
    "service_servers.add": {"kind": "mysql", "version": "11", "url": "mysql://a:b@db.example/"},
}
PREFIXES = {
    "services.provision": "NEW",
    "services.attach": "DETACHED",
    "services.detach": "ATTACHED",
    "services.rename": "ATTACHED",
    "services.reveal": "ATTACHED",
    "service_trash.remove": "DETACHED",
    "service_trash.restore": "TRASHED",
    "service_trash.delete_now": "TRASHED",
}
"""Which instance each route is asked about: one in a state in which it can be done."""
Query = Callable[[], Any]


def _uuid_of(prefix: str) -> Query:
    return lambda: db.select(ServiceInstance.uuid).where(ServiceInstance.prefix == prefix)


BY_ENDPOINT: dict[str, dict[str, Query]] = {
    "service_servers.change_offer": {"uuid": lambda: db.select(ServiceServer.uuid)},
    **{name: {"service_uuid": _uuid_of(prefix)} for name, prefix in PREFIXES.items()},
}


def settle(panel: Panel) -> None:
    """One instance in each state that a route is about."""
    states = {"NEW": "new", "DETACHED": "detached", "ATTACHED": "attached", "TRASHED": "detached"}
    for prefix, word in states.items():
        uuid = add(panel, prefix)
        with panel.work():
            row = instance(uuid)
            row.state = ServiceState(word)
            if word != "new":
                row.provisioned_at = now()
                row.facts = {"key": row.key, "password": row.password, "host": "h"}
            row.trashed_at = now() if prefix == "TRASHED" else None
