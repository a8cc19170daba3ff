"""What the matrix of permissions asks about services: rows, forms and addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.extensions import db, now
from app.services.models import ServiceInstance, ServiceServer, ServiceShare, ServiceState
from tests.panel import Panel, environment
from tests.services.acting import add, instance

FORMS: Mapping[str, Mapping[str, str]] = {
    "services.rename": {"prefix": "ANOTHER"},
    "service_shares.share": {"place": "other/test"},
    "service_shares.accept": {"prefix": "SHARED"},
    "service_servers.add": {"kind": "mysql", "version": "11", "url": "mysql://a:b@db.example/"},
}
PREFIXES = {
    "services.provision": "NEW",
    "services.attach": "DETACHED",
    "services.detach": "ATTACHED",
    "services.rename": "ATTACHED",
    "services.reveal": "ATTACHED",
    "service_shares.share": "ATTACHED",
    "service_shares.end": "ATTACHED",
    "service_trash.remove": "DETACHED",
    "service_trash.restore": "TRASHED",
    "service_trash.delete_now": "TRASHED",
}
"""Which instance each route is asked about: one in a state in which it can be done."""
Query = Callable[[], Any]


def _uuid_of(prefix: str) -> Query:
    return lambda: db.select(ServiceInstance.uuid).where(ServiceInstance.prefix == prefix)


def _share_of(prefix: str) -> Query:
    return lambda: (
        db.select(ServiceShare.uuid)
        .join(ServiceShare.instance)
        .where(ServiceInstance.prefix == prefix)
    )


BY_ENDPOINT: dict[str, dict[str, Query]] = {
    "service_servers.change_offer": {"uuid": lambda: db.select(ServiceServer.uuid)},
    **{name: {"service_uuid": _uuid_of(prefix)} for name, prefix in PREFIXES.items()},
}
for _name, _prefix in (("end", "ATTACHED"), ("accept", "LENT"), ("decline", "LENT")):
    BY_ENDPOINT.setdefault(f"service_shares.{_name}", {})["share_uuid"] = _share_of(_prefix)


def settle(panel: Panel) -> None:
    """One instance in each state that a route is about; one of Live is shared with Test, and one
    of Test with a stranger's site."""
    states = {"NEW": "new", "DETACHED": "detached", "ATTACHED": "attached", "TRASHED": "detached"}
    for prefix, word in {**states, "LENT": "attached"}.items():
        uuid = add(panel, prefix, on="live" if prefix == "LENT" else "test")
        with panel.work():
            row = instance(uuid)
            row.state = ServiceState(word)
            if word != "new":
                row.provisioned_at = now()
                row.facts = {"key": row.key, "password": row.password, "host": "h"}
            row.trashed_at = now() if prefix == "TRASHED" else None
    with panel.work():
        for prefix, place in (("ATTACHED", environment("live", "other")), ("LENT", environment())):
            uuid = db.session.scalars(_uuid_of(prefix)()).one()
            db.session.add(ServiceShare(instance=instance(uuid), environment=place))
