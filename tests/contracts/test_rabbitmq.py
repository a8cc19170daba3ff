"""What is RabbitMQ's own; what every service does is asked of it in `test_services.py`. The server
is the same."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

import pytest
import requests

from app.adapters.services import Facts, Server, ServiceBackend, ServiceKind, Usage
from app.adapters.services.rabbitmq import ADMINISTRATOR
from app.errors import Invalid, Unavailable
from tests.contracts.amqp_client import AmqpConnection, Refused
from tests.contracts.broker_guests import RabbitMqGuest
from tests.contracts.service_fixtures import CASES, Place, ServiceCase, running_case
from tests.contracts.tenants import Tenants, wait_until
from tests.engine.private_engine import PrivateEngine


@dataclasses.dataclass
class Broker:
    """The server, its backend and where the tests reach it."""

    case: ServiceCase
    tenants: Tenants

    @property
    def backend(self) -> ServiceBackend:
        return self.case.backend

    @property
    def server(self) -> Server:
        return self.case.server

    @property
    def address(self) -> str:
        return self.case.reached({})["host"]

    def connect(self, facts: Facts, vhost: str | None = None) -> AmqpConnection:
        return RabbitMqGuest().connect(self.case.reached(facts), vhost)

    def is_refused(self, facts: Facts) -> int | None:
        """The code with which a connection is refused; None when it is let in."""
        try:
            with self.connect(facts):
                return None
        except Refused as refused:
            return refused.code

    def ask(self, path: str, login: tuple[str, str]) -> int:
        """The management API's status."""
        user, password = (part.encode() for part in login)
        address = f"http://{self.address}:15672/api/{path}"
        return requests.get(address, auth=(user, password), timeout=10).status_code


@pytest.fixture
def broker(
    services_place: Place, servers: dict[str, Server], private_engine: PrivateEngine
) -> Iterator[Broker]:
    kind = next(case for case in CASES if case.kind == ServiceKind.RABBITMQ)
    case = running_case(services_place, servers, kind)
    tenants = Tenants(private_engine, "moonbase/rabbitmq:3.10")
    yield Broker(case, tenants)
    for key, facts in case.made:
        case.backend.deprovision(case.server, key, facts)
    tenants.close()


def test_a_sites_user_may_ask_the_management_api_nothing(broker: Broker) -> None:
    one, other = broker.case.provision(), broker.case.provision()
    login = (one["user"], one["password"])
    for path in ("overview", "vhosts", f"queues/{other['vhost']}", f"queues/{one['vhost']}"):
        assert broker.ask(path, login) == 401
    assert broker.ask("overview", ("guest", "guest")) == 401
    assert broker.ask("overview", (ADMINISTRATOR, broker.server.secret)) == 200


def test_it_is_found_by_two_ports_only(broker: Broker) -> None:
    facts, network = broker.case.provision(), broker.tenants.new_network()
    broker.backend.attach(broker.server, facts, network)
    script = f"""for port in 4369 5671 5672 15672 25672; do
      timeout 3 nc {facts["host"]} $port -e true 2>/dev/null && echo $port; done"""
    found = broker.tenants.run_inside(network, "sh", "-c", script)
    # Its management API answers nobody without tags; epmd and Erlang's distribution are not there.
    assert found.splitlines()[:-1] == ["5672", "15672"]
    broker.backend.detach(broker.server, facts, network)


def test_variables_are_in_the_documented_form(broker: Broker) -> None:
    facts = broker.case.provision(password="pw-/:@ü+ a")
    found = broker.backend.variables("DEFAULT", facts)
    assert set(found) == {"DEFAULT_AMQP_BROKER_URL", "BROKER_URL"}
    assert set(broker.backend.variables("JOBS", facts)) == {"JOBS_AMQP_BROKER_URL"}
    parts = urlsplit(found["BROKER_URL"])
    assert (parts.scheme, parts.hostname, parts.port) == ("amqp", "rabbitmq-3-10", 5672)
    assert unquote(parts.password or "") == "pw-/:@ü+ a"
    assert unquote(parts.path.removeprefix("/")) == facts["vhost"]


def test_connections_are_limited(broker: Broker) -> None:
    facts = broker.case.provision(connections=3)
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(broker.connect(facts))
        assert broker.is_refused(facts) == 530


def test_usage_is_messages_bytes_and_connections(broker: Broker) -> None:
    facts = broker.case.provision()
    assert broker.backend.usage(broker.server, facts) == Usage(bytes=0, connections=0, objects=0)
    with broker.connect(facts) as site:
        site.publish("celery", [b"x" * 1000])
        counted = Usage(bytes=1000, connections=1, objects=1)
        wait_until(lambda: broker.backend.usage(broker.server, facts) == counted)
    assert broker.backend.contents(broker.server, facts).counts == {"celery": 1}


def test_removal_ends_the_sites_connections(broker: Broker) -> None:
    facts, other = broker.case.provision(), broker.case.provision()
    with broker.connect(facts) as mine, broker.connect(other) as theirs:
        broker.backend.deprovision(broker.server, facts["key"], facts)
        assert not mine.is_open()
        assert theirs.is_open()
    assert broker.is_refused(facts) == 403


def test_killed_it_comes_back_with_its_virtual_hosts(broker: Broker) -> None:
    facts, network = broker.case.provision(), broker.tenants.new_network()
    broker.backend.attach(broker.server, facts, network)
    engine, container = broker.tenants.engine, broker.case.container
    before = engine.inspect_container(container)
    broker.tenants.kill_hard(container)
    with pytest.raises(Unavailable) as down:
        broker.backend.usage(broker.server, facts)
    assert broker.server.secret not in down.value.sentence
    broker.backend.start(broker.server)
    after = engine.inspect_container(container)
    assert before is not None
    assert after is not None
    assert (after.id, after.restart_count) == (before.id, before.restart_count + 1)
    assert network in engine.networks_of(container)
    broker.backend.detach(broker.server, facts, network)
    assert broker.case.read(facts) == []
    recorded = broker.tenants.recorded(container)
    assert not any(secret in recorded for secret in (broker.server.secret, facts["password"]))


def test_an_administrators_server_is_used_by_its_management_api(broker: Broker) -> None:
    def at(password: str, query: str = "", port: int = 15672) -> Server:
        url = f"http://{ADMINISTRATOR}:{quote(password)}@{broker.address}:{port}/{query}"
        return dataclasses.replace(broker.server, is_embedded=False, secret=url)

    backend, order = broker.backend, broker.case.order(password="pw")
    key, own = order.key, broker.server.secret
    foreign = at(own)
    backend.start(foreign)
    for untouched in (backend.stop, backend.remove):
        untouched(foreign)
    facts = backend.provision(foreign, order)
    backend.attach(foreign, facts, "no-network")
    assert broker.is_refused(facts) is None
    assert backend.usage(foreign, facts).objects == 0
    assert facts["host"] == broker.address
    elsewhere = at(own, "?amqp=amqps://broker.example.com")
    named = backend.variables("X", backend.provision(elsewhere, order))["X_AMQP_BROKER_URL"]
    assert named == f"amqps://{key}:pw@broker.example.com:5671/{key}"
    backend.deprovision(foreign, order.key, facts)
    for wrong, kind in (
        (at("falsch-geheim"), Invalid),
        (at(own, "?amqp=http://x"), Invalid),
        (at(own, port=1), Unavailable),
        (dataclasses.replace(foreign, secret="amqp://a:geheim@h"), Invalid),
    ):
        with pytest.raises(kind) as refused:
            backend.start(wrong)
        assert "geheim" not in refused.value.sentence
        assert own not in refused.value.sentence
    assert backend.content is None
