"""What the page of an environment's services shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.adapters.services import Order, ServiceKind
from app.adapters.services.variables import variable_names
from app.environments.models import Environment
from app.services import queries
from app.services.models import (
    TITLES,
    ServiceInstance,
    ServiceServer,
    ServiceShare,
    ServiceState,
)
from app.services.operations import REMOVABLE
from app.services.uses import is_secret_fact

CONNECTIONS = Order("", "").connections
"""Of each instance of a database (L5964)."""
LIMITED = (ServiceKind.POSTGRESQL, ServiceKind.MYSQL)
DETAILS = ("host", "port", "database", "user", "bucket", "vhost", "endpoint", "region", "media_url")
"""Facts that are shown, in this order; what else a backend keeps is its own."""


@dataclass(frozen=True)
class ServiceRow:
    """One instance with what can be done to it now."""

    instance: ServiceInstance
    names: Sequence[str]
    """Of its variables, from the next deployment on."""
    details: Mapping[str, str]
    """How it is reached; no secret is among them."""
    shares: Sequence[ServiceShare] = ()
    """With whom it is shared."""

    @property
    def state(self) -> ServiceState:
        return self.instance.state

    @property
    def can_provision(self) -> bool:
        return self.state in (ServiceState.NEW, ServiceState.FAILED)

    @property
    def can_attach(self) -> bool:
        return self.state in (ServiceState.DETACHED, ServiceState.PENDING_DETACHMENT)

    @property
    def can_detach(self) -> bool:
        return self.state in (ServiceState.ATTACHED, ServiceState.PENDING_ATTACHMENT)

    @property
    def can_remove(self) -> bool:
        return self.state in REMOVABLE

    @property
    def can_share(self) -> bool:
        return self.instance.original_id is None and self.instance.is_functional

    @property
    def has_connection_limit(self) -> bool:
        return self.instance.kind in LIMITED

    @property
    def extensions(self) -> Sequence[str]:
        found: Sequence[str] = self.instance.source.options.get("extensions", ())
        return found


def load_rows(environment: Environment) -> list[ServiceRow]:
    """All instances that are not in the trash; two queries."""
    shares = defaultdict[int, list[ServiceShare]](list)
    for share in queries.list_shares_of(environment.id):
        shares[share.instance_id].append(share)
    rows = queries.list_instances(environment.id)
    return [_row(instance, shares[instance.id]) for instance in rows]


def list_shared(environment: Environment, rows: Sequence[ServiceRow]) -> list[ServiceShare]:
    """What others share with it and nobody has accepted; one query."""
    taken = {row.instance.original_id for row in rows}
    shares = queries.list_shares_with(environment.id)
    return [share for share in shares if share.instance_id not in taken]


def _row(instance: ServiceInstance, shares: Sequence[ServiceShare]) -> ServiceRow:
    facts = instance.facts
    return ServiceRow(
        instance=instance,
        names=variable_names(instance.kind, instance.prefix),
        shares=shares,
        details={
            name: facts[name] for name in DETAILS if facts.get(name) and not is_secret_fact(name)
        },
    )


def list_offers(environment: Environment) -> list[ServiceServer]:
    """Servers on which an instance may be made, by kind as people know them."""
    order = list(TITLES)
    return sorted(queries.list_offers(environment.region_id), key=lambda row: order.index(row.kind))
