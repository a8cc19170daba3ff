"""One case per kind and version of service, each with one server that the whole run shares.

A kind that is added here is asked everything in `test_services.py`: add a `Guest`, which does what
a site would do with what it was given, and a line in `CASES`.
"""

from __future__ import annotations

import io
import secrets
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    ContainerSpec,
    Engine,
    Limits,
    NetworkSpec,
)
from app.adapters.engine.docker import DockerEngine
from app.adapters.services import Facts, Order, Server, ServiceBackend, ServiceKind
from app.adapters.services.all_kinds import AllKinds
from app.adapters.services.embedded import container_name
from app.config import Settings
from app.errors import PanelError, Unavailable
from tests.contracts.broker_guests import RabbitMqGuest
from tests.contracts.engine_fixtures import next_subnet
from tests.contracts.service_guests import MariaDBGuest, PostgreSQLGuest
from tests.contracts.storage_guests import ObjectStorageGuest
from tests.engine.private_engine import PrivateEngine


class Guest(Protocol):
    """A site's side of an instance. `facts` have a `host` that can be reached from the tests."""

    def fill(self, facts: Facts, rows: int) -> None:
        """Put so many rows (or objects) in, on top of what is there."""
        ...

    def read(self, facts: Facts) -> object:
        """All that is in it, to be compared."""
        ...

    def may_enter(self, mine: Facts, others: Facts) -> bool:
        """Whether with `mine` one gets at anything of the other instance."""
        ...

    def facts_of(self, variables: Mapping[str, str], prefix: str) -> Facts:
        """host, port, user and password as a site reads them out of its variables."""
        ...


@dataclass(frozen=True)
class Kind:
    """What is asked: a kind in one version, and whether it can be backed up."""

    kind: ServiceKind
    version: str
    guest: Guest
    has_content: bool = True

    def __str__(self) -> str:
        return f"{self.kind}-{self.version}"


CASES = (
    # Version 18 is asked in `test_postgresql.py`: it is the same code.
    Kind(ServiceKind.POSTGRESQL, "15", PostgreSQLGuest()),
    Kind(ServiceKind.MYSQL, "10.11", MariaDBGuest()),
    Kind(ServiceKind.OBJECT_STORAGE, "4", ObjectStorageGuest()),
    Kind(ServiceKind.RABBITMQ, "3.10", RabbitMqGuest(), has_content=False),
)


@dataclass(frozen=True)
class Place:
    """Where the servers of this run stand."""

    engine: Engine
    settings: Settings
    backends: AllKinds
    pool: str
    subnet: str
    installation: str = field(default_factory=lambda: uuid.uuid4().hex)

    def server(self, kind: ServiceKind, version: str) -> Server:
        return Server(
            key=uuid.uuid4().hex,
            kind=kind,
            version=version,
            is_embedded=True,
            secret=secrets.token_urlsafe(24),
            installation_id=self.installation,
            network=self.subnet,
        )


@dataclass
class ServiceCase:
    """A running server, and instances on it that are gone after the test."""

    place: Place
    server: Server
    backend: ServiceBackend
    guest: Guest
    made: list[tuple[str, Facts]] = field(default_factory=list)

    def order(self, **more: object) -> Order:
        key = "m" + secrets.token_hex(8)[:15]
        self.made.append((key, {}))
        return replace(Order(key, secrets.token_urlsafe(24)), **more)  # type: ignore[arg-type]

    def provision(self, rows: int = 0, **more: object) -> Facts:
        """An instance, as the backend knows it, filled with so many rows."""
        facts = self.backend.provision(self.server, self.order(**more))
        self.made[-1] = (facts["key"], facts)
        if rows:
            self.fill(facts, rows)
        return facts

    def fill(self, facts: Facts, rows: int) -> None:
        self.guest.fill(self.reached(facts), rows)

    def read(self, facts: Facts) -> object:
        return self.guest.read(self.reached(facts))

    def reached(self, facts: Facts) -> Facts:
        """The same with the address at which the tests, like a worker, reach the server."""
        state = self.place.engine.inspect_container(self.container)
        assert state is not None
        return {**facts, "host": state.address or ""}

    @property
    def container(self) -> str:
        return container_name(self.server)

    def kill_server(self) -> None:
        """kill -9 of everything in its container; the engine is to bring it back."""
        with suppress(PanelError):  # the command dies of it as well
            self.place.engine.execute(self.container, ("sh", "-c", "kill -9 -1"), {}, 20)

    def wait_until_back(self, facts: Facts) -> None:
        """Wait until a killed server gives its data again, without asking anybody to start it: one
        that lists its objects may need a moment more to find them."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.backend.contents(self.server, facts)
            except Unavailable:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def renew_server(self) -> None:
        """A new container on the same data: after each crash the engine waits twice as long."""
        self.place.engine.remove_container(self.container)
        self.backend.start(self.server)


# A static busybox finds names by nslookup only.
_REACH = """\
address=$1
if ! echo $1 | grep -q '^[0-9.]*$'; then
  address=$(nslookup $1 | awk '/^Address/ && $2 !~ /:53/ {print $2; exit}')
fi
[ -n "$address" ] && nc -w 2 $address $2 < /dev/null > /dev/null
"""


class Killing(io.BytesIO):
    """Kills the server once so many bytes have been read or written."""

    def __init__(self, case: ServiceCase, start: bytes = b"", after: int = 1) -> None:
        super().__init__(start)
        self._case, self._after, self._passed = case, after, 0

    def _pass(self, count: int) -> None:
        before, self._passed = self._passed, self._passed + count
        if before < self._after <= self._passed:
            self._case.kill_server()

    def write(self, data: object) -> int:
        self._pass(len(bytes(data)))  # type: ignore[call-overload]
        return super().write(data)  # type: ignore[arg-type]

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self._pass(len(piece))
        return piece


@dataclass(frozen=True)
class Site:
    """A container in the network of an environment."""

    engine: Engine
    network: str
    name: str

    def reaches(self, host: str, port: str) -> bool:
        """Whether a connection can be opened from it."""
        done = self.engine.execute(self.name, ("sh", "-c", _REACH, "sh", host, port), {}, 20)
        return done.exit_code == 0


@pytest.fixture(scope="session")
def services_place(
    private_engine: PrivateEngine,
    package_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """Settings, engine and network; what was made in it is gone afterwards with the engine."""
    data = tmp_path_factory.mktemp("services")
    (data / "cache").mkdir()
    package_cache.mkdir(exist_ok=True)
    (data / "cache" / "base_images").symlink_to(package_cache)
    settings = Settings(data_dir=data, docker_url=private_engine.socket)
    engine = DockerEngine(private_engine.socket)
    backends = AllKinds(engine, settings)
    yield Place(engine, settings, backends, private_engine.pool, next_subnet(private_engine.pool))


@pytest.fixture(scope="session")
def servers(services_place: Place) -> Iterator[dict[str, Server]]:
    """The servers that run already, by their case's name."""
    running: dict[str, Server] = {}
    yield running
    for server in running.values():
        services_place.backends.of(server.kind).remove(server)


def running_case(place: Place, servers: dict[str, Server], kind: Kind) -> ServiceCase:
    """The case with its server, which is started when it is first asked for."""
    backend = place.backends.of(kind.kind)
    if str(kind) not in servers:
        servers[str(kind)] = place.server(kind.kind, kind.version)
    backend.start(servers[str(kind)])
    return ServiceCase(place, servers[str(kind)], backend, kind.guest)


def cleaned(case: ServiceCase) -> Iterator[ServiceCase]:
    """The case for one test; its instances are gone afterwards, however the test left it."""
    yield case
    case.backend.start(case.server)
    for key, facts in case.made:
        case.backend.deprovision(case.server, key, facts)


@pytest.fixture(params=CASES, ids=str)
def service(
    request: pytest.FixtureRequest, services_place: Place, servers: dict[str, Server]
) -> Iterator[ServiceCase]:
    """Each kind and version there is."""
    yield from cleaned(running_case(services_place, servers, request.param))


@pytest.fixture(params=[kind for kind in CASES if kind.has_content], ids=str)
def kept_service(
    request: pytest.FixtureRequest, services_place: Place, servers: dict[str, Server]
) -> Iterator[ServiceCase]:
    """Each one that is backed up."""
    yield from cleaned(running_case(services_place, servers, request.param))


@pytest.fixture
def site(services_place: Place, static_base_image: str) -> Iterator[Site]:
    """A container in a network of its own, as an environment has it."""
    place, name = services_place, f"site-{uuid.uuid4().hex[:8]}"
    labels = {LABEL_INSTALLATION: place.installation, LABEL_ENVIRONMENT: "7"}
    place.engine.ensure_network(NetworkSpec(name, next_subnet(place.pool), labels))
    limits = Limits(memory_bytes=64 * 2**20, cpus=1.0, pids=50)
    place.engine.start_container(
        ContainerSpec(name, static_base_image, labels, name, limits, command=("sleep", "300"))
    )
    yield Site(place.engine, name, name)
    place.engine.remove_container(name)
    place.engine.remove_network(name)
