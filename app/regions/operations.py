"""Seeding the first region and giving subnets to environments."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from app.errors import Unavailable
from app.extensions import db
from app.regions import queries
from app.regions.models import Region, Subnet

ROUTES = Path("/proc/net/route")
POOLS = range(213, 254)
BUILD_PREFIX = 27
"""Builds have the first addresses of the pool; other slices were smaller once, and may be still."""


def seed_regions(network_pool: str = "") -> None:
    """The region `local`, on the first start, with `network_pool` or one that is free here."""
    if queries.find_region(queries.LOCAL) is None:
        pool = network_pool or find_free_pool(ROUTES.read_text() if ROUTES.exists() else "")
        db.session.add(Region(slug=queries.LOCAL, name="This machine", network_pool=pool))


def find_free_pool(routes: str) -> str:
    """The first of 10.213.0.0/16 to 10.253.0.0/16 that no route of this machine touches.

    `routes` is the text of /proc/net/route: bridges of container networks stand in it too, so two
    installations on one engine do not meet. Raises `Unavailable` when all are taken.
    """
    taken = []
    for line in routes.splitlines()[1:]:
        words = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(words[n]), "little") for n in (1, 7))
        if mask:
            taken.append(ipaddress.IPv4Network((address & mask, mask.bit_count())))
    for number in POOLS:
        pool = ipaddress.IPv4Network(f"10.{number}.0.0/16")
        if not any(pool.overlaps(other) for other in taken):
            return str(pool)
    raise Unavailable("No network 10.213.0.0/16 to 10.253.0.0/16 is free: set one.", retry=False)


def allocate_subnet(region: Region, environment_id: int, prefix: int) -> Subnet:
    """The environment's subnet: the one it holds, or the lowest free slice of the region's pool.

    `prefix` is the length of a slice; the first one belongs to builds, the last ones to services.
    Slices given out under another length stay as they are: none is given that touches them.
    Raises `Unavailable` when the pool is used up.
    """
    held = queries.find_subnet(environment_id)
    if held:
        return held
    # Two environments must not choose the same slice; SQLite has locked everything already.
    db.session.refresh(region, with_for_update={"key_share": True})
    rows = _subnets_of(region)
    # By position as well: it is unique, whatever the length of the slice was.
    taken = {row.position for row in rows} | _touched(region.network_pool, rows, prefix)
    network = ipaddress.ip_network(region.network_pool)
    slices = 2 ** (prefix - network.prefixlen)
    free = range(1, slices - _kept_for_services(slices))
    position = next((number for number in free if number not in taken), None)
    if position is None:
        raise Unavailable("The network pool is used up: an operator must widen it.", retry=False)
    subnet = Subnet(
        region_id=region.id,
        environment_id=environment_id,
        position=position,
        cidr=slice_of(region.network_pool, prefix, position),
    )
    db.session.add(subnet)
    db.session.flush()
    return subnet


def services_subnet(region: Region, prefix: int) -> str:
    """Where embedded servers stand: the end of the region's pool, a 64th of it or one slice.

    Raises `Unavailable` when an environment has been given it, before there were services.
    """
    network = ipaddress.IPv4Network(region.network_pool)
    slices = 2 ** (prefix - network.prefixlen)
    kept = _kept_for_services(slices)
    held = _touched(region.network_pool, _subnets_of(region), prefix)
    if any(position >= slices - kept for position in held):
        raise Unavailable(
            "The end of the network pool, where services stand, belongs to an environment. An "
            "operator must widen the pool.",
            retry=False,
        )
    wider = prefix - (kept.bit_length() - 1)
    return slice_of(region.network_pool, wider, slices // kept - 1)


def _kept_for_services(slices: int) -> int:
    """How many slices at the end of the pool no environment gets: each Redis has a container of
    its own, so one slice would be too small for many sites."""
    return max(1, slices // 64)


def _subnets_of(region: Region) -> Sequence[Subnet]:
    return db.session.scalars(select(Subnet).where(Subnet.region_id == region.id)).all()


def _touched(pool: str, rows: Sequence[Subnet], prefix: int) -> set[int]:
    """Positions of slices of this length that share addresses with any of `rows`."""
    start, size = int(ipaddress.IPv4Network(pool).network_address), 2 ** (32 - prefix)
    found: set[int] = set()
    for row in rows:
        held = ipaddress.IPv4Network(row.cidr)
        first, last = int(held.network_address) - start, int(held.broadcast_address) - start
        found.update(range(first // size, last // size + 1))
    return found


def build_slice(pool: str, prefix: int) -> str:
    """The network of builds, in front of all environments' slices of length `prefix`."""
    return slice_of(pool, max(prefix, BUILD_PREFIX), 0)


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
