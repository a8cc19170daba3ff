"""Seeding the first region and giving subnets to environments."""

from __future__ import annotations

import ipaddress

from sqlalchemy import select

from app.errors import Unavailable
from app.extensions import db
from app.regions import queries
from app.regions.models import Region, Subnet


def seed_regions() -> None:
    """The region `local`, on the first start."""
    if queries.find_region(queries.LOCAL) is None:
        db.session.add(Region(slug=queries.LOCAL, name="This machine"))


def allocate_subnet(region_id: int, environment_id: int, pool: str, prefix: int) -> Subnet:
    """The environment's subnet: the one it holds, or the lowest free slice of `pool`.

    `pool` is a network such as `10.213.0.0/16`, `prefix` the length of a slice. The first slice
    belongs to builds. Raises `Unavailable` when the pool is used up.
    """
    held = queries.find_subnet(environment_id)
    if held:
        return held
    taken = set(db.session.scalars(select(Subnet.position).where(Subnet.region_id == region_id)))
    network = ipaddress.ip_network(pool)
    slices = 2 ** (prefix - network.prefixlen)
    position = next((number for number in range(1, slices) if number not in taken), None)
    if position is None:
        raise Unavailable("The network pool is used up: an operator must widen it.", retry=False)
    subnet = Subnet(
        region_id=region_id,
        environment_id=environment_id,
        position=position,
        cidr=slice_of(pool, prefix, position),
    )
    db.session.add(subnet)
    db.session.flush()
    return subnet


def slice_of(pool: str, prefix: int, position: int) -> str:
    """The slice at `position`, e.g. `slice_of("10.213.0.0/16", 27, 1)` is `10.213.0.32/27`."""
    network = ipaddress.IPv4Network(pool)
    first = int(network.network_address) + position * 2 ** (32 - prefix)
    return f"{ipaddress.IPv4Address(first)}/{prefix}"


def usable_addresses(cidr: str) -> list[str]:
    """Addresses for containers that keep theirs: the lower half without network and gateway.

    The upper half is the engine's, for one-off containers to which it gives one by itself.
    """
    network = ipaddress.IPv4Network(cidr)
    first = int(network.network_address)
    return [str(ipaddress.IPv4Address(first + n)) for n in range(2, network.num_addresses // 2)]
