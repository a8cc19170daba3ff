"""Subnets: every environment has its own slice of the pool, and gives it back."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest

from app.environments.models import Environment
from app.environments.operations import ENVIRONMENTS_ALLOWED, create_environment
from app.environments.queries import list_environments
from app.errors import Unavailable
from app.extensions import db
from app.regions.models import Region, Subnet
from app.regions.operations import (
    allocate_subnet,
    build_slice,
    find_free_pool,
    seed_regions,
    services_subnet,
    slice_of,
    usable_addresses,
)
from app.regions.queries import find_region
from tests.panel import ALICE, Panel, make_application, organisation, user_of

POOL = "10.213.0.0/16"


def make_environments(panel: Panel, count: int) -> list[Environment]:
    """As many, over as many applications as it takes."""
    region = find_region("local")
    assert region
    made: list[Environment] = []
    while len(made) < count:
        site = make_application(panel, f"site{len(made)}", organisation(), user_of(ALICE))
        more = min(ENVIRONMENTS_ALLOWED - len(list_environments(site.id)), count - len(made))
        made += [
            create_environment(site, region, f"e{number}", f"E{number}", "main")
            for number in range(more)
        ]
    return made


def allocate(row: Environment, pool: str = POOL, prefix: int = 27) -> Subnet:
    row.region.network_pool = pool
    return allocate_subnet(row.region, row.id, prefix)


def test_two_hundred_environments_have_networks_that_do_not_meet(panel: Panel) -> None:
    with panel.work():
        cidrs = [allocate(row).cidr for row in make_environments(panel, 200)]
    networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
    builds = ipaddress.ip_network(slice_of(POOL, 27, 0))
    pool = ipaddress.ip_network(POOL)
    assert len(set(networks)) == 200
    assert all(network.subnet_of(pool) for network in networks)
    assert not any(one.overlaps(other) for one, other in combinations([builds, *networks], 2))


def test_an_environment_keeps_its_slice(panel: Panel) -> None:
    with panel.work():
        row = make_environments(panel, 1)[0]
        assert allocate(row).id == allocate(row).id


def test_the_slice_of_a_deleted_environment_is_given_out_again(panel: Panel) -> None:
    with panel.work():
        one, two, three = make_environments(panel, 3)
        first, second = allocate(one).cidr, allocate(two).cidr
        db.session.execute(db.delete(Environment).where(Environment.id == one.id))
        db.session.expire_all()
        assert allocate(three).cidr == first != second


def test_a_used_up_pool_is_a_sentence(panel: Panel) -> None:
    with panel.work():
        rows = make_environments(panel, 3)
        for row in rows[:2]:
            allocate(row, "10.213.0.0/25")
        with pytest.raises(Unavailable, match="network pool is used up") as refused:
            allocate(rows[2], "10.213.0.0/25")
    assert refused.value.retry is False


def test_the_end_of_the_pool_belongs_to_services(panel: Panel) -> None:
    with panel.work():
        row = make_environments(panel, 1)[0]
        row.region.network_pool = POOL
        assert services_subnet(row.region, 27) == "10.213.252.0/22"
        row.region.network_pool = "10.213.0.0/25"
        assert services_subnet(row.region, 27) == "10.213.0.96/27"
        held = allocate(row, "10.213.0.0/25")  # the end, given out before there were services
        held.position, held.cidr = 3, "10.213.0.96/27"
        with pytest.raises(Unavailable, match="belongs to an environment"):
            services_subnet(row.region, 27)


def test_wider_slices_do_not_meet_those_given_out_before(panel: Panel) -> None:
    with panel.work():
        rows = make_environments(panel, 8)
        old = [allocate(row, prefix=27).cidr for row in rows[:3]]
        new = [allocate(row, prefix=26).cidr for row in rows[3:]]
        assert allocate(rows[0], prefix=26).cidr == old[0]  # an environment keeps what it has
    assert old == ["10.213.0.32/27", "10.213.0.64/27", "10.213.0.96/27"]
    networks = [ipaddress.ip_network(cidr) for cidr in [build_slice(POOL, 26), *old, *new]]
    assert not any(one.overlaps(other) for one, other in combinations(networks, 2))
    assert len(usable_addresses(new[0])) == 30


def test_slices_and_their_addresses() -> None:
    assert slice_of(POOL, 27, 1) == "10.213.0.32/27"
    assert slice_of(POOL, 27, 2047) == "10.213.255.224/27"
    addresses = usable_addresses("10.213.0.32/27")
    assert addresses == [f"10.213.0.{number}" for number in range(34, 48)]


def test_seeding_again_adds_nothing(panel: Panel) -> None:
    with panel.work():
        seed_regions()
    with panel.reading():
        assert db.session.scalars(db.select(Region.slug)).all() == ["local"]


def test_a_pool_is_chosen_that_no_route_of_the_machine_touches() -> None:
    heading = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"
    line = "{0} {1} 00000000 0001 0 0 0 {2} 0 0 0"
    default = line.format("eth0", "00000000", "00000000")
    bridge = line.format("br-1", "2000D50A", "E0FFFFFF")  # 10.213.0.32/27
    wide = line.format("tun0", "0000D60A", "0000FEFF")  # 10.214.0.0/15
    assert find_free_pool("") == "10.213.0.0/16"
    assert find_free_pool(f"{heading}\n{default}\n") == "10.213.0.0/16"
    assert find_free_pool(f"{heading}\n{default}\n{bridge}\n{wide}\n") == "10.216.0.0/16"
