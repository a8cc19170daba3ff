"""The network and addresses of an environment's containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.adapters.engine import LABEL_ROLE, NetworkSpec
from app.deployments import queries
from app.deployments.labels import ROLE_NETWORK, environment_labels
from app.environments.models import Environment
from app.errors import Unavailable
from app.extensions import db
from app.regions.operations import allocate_subnet, usable_addresses
from app.services.provisioning import network_name

if TYPE_CHECKING:  # the pipeline's steps ask for networks
    from app.deployments.pipeline.context import Context


def network_of(context: Context) -> NetworkSpec:
    """The environment's own network; its subnet is allocated on the first call."""
    settings = context.installation.settings
    environment = db.session.get_one(Environment, context.subject.environment_id)
    subnet = allocate_subnet(environment.region, environment.id, settings.network_prefix)
    return network_spec(context.subject.installation_id, environment.uuid, subnet.cidr)


def network_spec(installation_id: str, environment_uuid: str, cidr: str) -> NetworkSpec:
    """The network by its facts, for the pipeline and the reconciler alike."""
    return NetworkSpec(
        name=network_name(environment_uuid),
        subnet=cidr,
        labels=environment_labels(installation_id, environment_uuid) | {LABEL_ROLE: ROLE_NETWORK},
    )


def free_addresses(environment_id: int, cidr: str, count: int) -> list[str]:
    """Addresses no container of the environment has, from the lowest.

    Raises `Unavailable` when the subnet is too small.
    """
    taken = {row.address for row in queries.list_containers(environment_id)}
    free = [address for address in usable_addresses(cidr) if address not in taken]
    if len(free) < count:
        raise Unavailable("The environment's network has no free address left.")
    return free[:count]
