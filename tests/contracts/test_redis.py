"""The Redis backend against real servers: one container an instance, each in its site's network."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis

from app.adapters.services import Facts, Order, Server, ServiceKind, Usage
from app.adapters.services.redis import Redis
from app.errors import Invalid, Unavailable
from base_images.making import ensure
from tests.contracts.tenants import Tenants, wait_until
from tests.engine.private_engine import PrivateEngine

PASSWORDS = {"a": "pw-/:@ü+ a", "b": "pw-b"}


@pytest.fixture(scope="module")
def tenants(private_engine: PrivateEngine, package_cache: Path) -> Iterator[Tenants]:
    image = ensure(["redis-7.0"], private_engine.client().api, package_cache)["redis-7.0"]
    made = Tenants(private_engine, image)
    yield made
    made.close()


@pytest.fixture(scope="module")
def backend(tenants: Tenants) -> Redis:
    return Redis(tenants.engine, lambda recipe: tenants.image)


@pytest.fixture(scope="module")
def server(tenants: Tenants) -> Server:
    return Server(
        key=str(uuid.uuid4()),
        kind=ServiceKind.REDIS,
        version="7.0",
        is_embedded=True,
        secret="",
        installation_id=tenants.installation_id,
    )


def instance(backend: Redis, server: Server, letter: str, key: str = "") -> Facts:
    order = Order(key=key or f"{letter}{uuid.uuid4().hex[:15]}", password=PASSWORDS[letter])
    facts = backend.provision(server, order)
    assert backend.provision(server, order) == facts
    return facts


def container(facts: Facts) -> str:
    return f"moonbase-redis-{facts['key']}"


def client(tenants: Tenants, facts: Facts, network: str) -> redis.Redis:
    address = tenants.address_of(container(facts), network)
    return redis.Redis(address, password=facts["password"], socket_timeout=5, protocol=2)


def test_a_site_reaches_its_own_and_nobody_elses(
    tenants: Tenants, backend: Redis, server: Server
) -> None:
    backend.start(server)
    mine, theirs = tenants.new_network(), tenants.new_network()
    facts, others = instance(backend, server, "a"), instance(backend, server, "b")
    assert backend.usage(server, facts) == Usage(bytes=0, connections=0)
    for _ in range(2):
        backend.attach(server, facts, mine)
    backend.attach(server, others, theirs)

    login = ("redis-cli", "--no-auth-warning", "-a", facts["password"], "-h", facts["host"])
    assert tenants.run_inside(mine, *login, "SET", "a", "1").startswith("OK")
    assert "NOAUTH" in tenants.run_inside(mine, "redis-cli", "-h", facts["host"], "PING")
    foreign = tenants.address_of(container(others), theirs)
    asked = ("timeout", "2", "redis-cli", "-a", others["password"], "-h")
    assert "PONG" in tenants.run_inside(theirs, *asked, foreign, "PING")
    for host in (foreign, others["host"]):
        assert "PONG" not in tenants.run_inside(mine, *asked, host, "PING")
    assert tenants.engine.networks_of(container(facts)) == {mine}
    assert facts["password"] not in tenants.recorded(container(facts))


def test_variables_are_urls_that_clients_read(backend: Redis, server: Server) -> None:
    facts = instance(backend, server, "a")
    found = backend.variables("DEFAULT", facts)
    assert set(found) == {"DEFAULT_CACHE_URL", "CACHE_URL"}
    assert set(backend.variables("SESSIONS", facts)) == {"SESSIONS_CACHE_URL"}
    parts = urlsplit(found["CACHE_URL"])
    assert (parts.scheme, parts.hostname, parts.port) == ("redis", facts["host"], 6379)
    assert unquote(parts.password or "") == PASSWORDS["a"]
    assert parts.path == "/0"
    options = redis.ConnectionPool.from_url(found["CACHE_URL"]).connection_kwargs
    assert options["password"] == PASSWORDS["a"]


def test_a_site_may_use_it_and_not_change_it(
    tenants: Tenants, backend: Redis, server: Server
) -> None:
    network = tenants.new_network()
    facts = instance(backend, server, "a")
    backend.attach(server, facts, network)
    site = client(tenants, facts, network)
    assert site.set("page", "x", ex=60)
    assert site.eval("return redis.call('GET', 'page')", 0) == b"x"
    assert site.keys("*") == [b"page"]
    assert site.info("memory")["maxmemory"] == 64 * 1024**2
    assert site.flushdb()
    refused = """CONFIG GET maxmemory|CONFIG SET dir /|DEBUG SLEEP 0|MODULE LIST|SAVE
    |SHUTDOWN NOSAVE|REPLICAOF 10.0.0.1 6379|MONITOR|ACL LIST|ACL SETUSER x|CLIENT KILL ID 1
    |MIGRATE 10.0.0.1 6379 page 0 100|RESTORE k 0 x|FAILOVER|CLUSTER MEET 10.0.0.1 6379"""
    for command in refused.split("|"):
        with pytest.raises(redis.ResponseError):
            site.execute_command(*command.split())


def test_it_forgets_the_oldest_when_it_is_full_and_says_what_it_uses(
    tenants: Tenants, backend: Redis, server: Server
) -> None:
    network = tenants.new_network()
    facts = instance(backend, server, "a")
    backend.attach(server, facts, network)
    site = client(tenants, facts, network)
    for number in range(100):
        site.set(f"page-{number}", b"x" * 1024**2)
    assert site.get("page-99") is not None
    gone = [number for number in range(100) if not site.exists(f"page-{number}")]
    # It looks at a few at a time, and lets the oldest of these go.
    assert len(gone) > 30 and sum(gone) / len(gone) < 50
    usage = backend.usage(server, facts)
    assert usage.bytes is not None
    assert 40 * 1024**2 < usage.bytes <= 64 * 1024**2
    assert usage.connections == 1
    state = tenants.engine.inspect_container(container(facts))
    assert state is not None
    assert state.restart_count == 0


def test_killed_it_comes_back_empty_with_its_password(
    tenants: Tenants, backend: Redis, server: Server
) -> None:
    network = tenants.new_network()
    facts = instance(backend, server, "a")
    backend.attach(server, facts, network)
    client(tenants, facts, network).set("page", "x")
    tenants.kill_hard(container(facts))

    def is_back() -> bool:
        try:
            return backend.usage(server, facts).connections == 0
        except Unavailable as error:
            assert facts["password"] not in error.sentence
            return False

    wait_until(is_back)
    assert client(tenants, facts, network).get("page") is None
    assert "NOAUTH" in tenants.run_inside(network, "redis-cli", "-h", facts["host"], "PING")


def test_networks_come_and_go(tenants: Tenants, backend: Redis, server: Server) -> None:
    one, other = tenants.new_network(), tenants.new_network()
    facts = instance(backend, server, "a")
    backend.attach(server, facts, one)
    client(tenants, facts, one).set("page", "x")
    backend.attach(server, facts, other)
    backend.detach(server, facts, one)
    assert tenants.engine.networks_of(container(facts)) == {other}
    assert client(tenants, facts, other).get("page") == b"x"
    # Stopped, as an operator may: the next attachment starts it again where it was, and here.
    tenants.engine.stop_container(container(facts), 1)
    with pytest.raises(Unavailable):
        backend.usage(server, facts)
    backend.attach(server, facts, one)
    assert tenants.engine.networks_of(container(facts)) == {one, other}
    for network in (one, other, other):
        backend.detach(server, facts, network)
    assert tenants.engine.inspect_container(container(facts)) is None


def test_removal_leaves_nothing_and_may_be_asked_twice(
    tenants: Tenants, backend: Redis, server: Server
) -> None:
    network = tenants.new_network()
    facts, others = instance(backend, server, "a"), instance(backend, server, "b")
    for known in (facts, others):
        backend.attach(server, known, network)
    for known in (facts, {}):
        backend.deprovision(server, facts["key"], known)
    assert tenants.engine.inspect_container(container(facts)) is None
    assert tenants.engine.inspect_container(container(others)) is not None
    backend.stop(server)
    for _ in range(2):
        backend.remove(server)
    assert tenants.engine.list_containers(tenants.labels) == []


def test_an_address_is_not_taken(backend: Redis, server: Server) -> None:
    foreign = Server(**{**vars(server), "is_embedded": False, "secret": "redis://:geheim@host"})
    with pytest.raises(Invalid) as refused:
        backend.start(foreign)
    assert "geheim" not in refused.value.sentence
    assert backend.content is None
