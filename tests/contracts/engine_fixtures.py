"""One case per implementation of the engine and builder protocols: in memory, and Docker."""

from __future__ import annotations

import shlex
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    ContainerSpec,
    ContainerState,
    Engine,
    Limits,
    NetworkSpec,
)
from app.adapters.engine.docker import DockerEngine
from app.adapters.engine.fake import FakeEngine, ScriptedExecution, ScriptedRun
from app.adapters.image_builder import ImageBuilder
from app.adapters.image_builder.docker import DockerImageBuilder
from app.adapters.image_builder.fake import FakeImageBuilder
from tests.engine.private_engine import PrivateEngine

LIMITS = Limits(memory_bytes=64 * 1024 * 1024, cpus=1.0, pids=50)
_blocks = iter(range(2000))
_blocks_lock = threading.Lock()


def next_subnet(pool: str) -> str:
    """A /27 of the pool that no other test has."""
    with _blocks_lock:
        block = next(_blocks)
    first, second, *_ = pool.split(".")
    return f"{first}.{second}.{block // 8}.{block % 8 * 32}/27"


@dataclass
class EngineCase:
    """An engine with one network and one image, and labels nobody else's objects carry.

    `fake` is the engine once more when it is the one in memory: it must be told what the
    programs in the containers would do.
    """

    engine: Engine
    image: str
    pool: str
    fake: FakeEngine | None
    installation: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")
    subnet: str = ""

    def __post_init__(self) -> None:
        self.subnet = self.subnet or self.next_subnet()

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_INSTALLATION: self.installation, LABEL_ENVIRONMENT: "7"}

    @property
    def network(self) -> str:
        return f"{self.installation}-net"

    def next_subnet(self) -> str:
        """A /27 of the pool that no other test has."""
        return next_subnet(self.pool)

    def address(self, number: int) -> str:
        """The `number`-th address of the case's subnet."""
        start, _, last = self.subnet.partition("/")[0].rpartition(".")
        return f"{start}.{int(last) + number}"

    def spec(
        self, name: str = "web", command: tuple[str, ...] | None = ("sleep", "300"), **more: object
    ) -> ContainerSpec:
        """A container of this case; `more` overrides any field."""
        fields: dict[str, object] = {
            "name": f"{self.installation}-{name}",
            "image": self.image,
            "labels": self.labels,
            "network": self.network,
            "limits": LIMITS,
            "command": command,
        }
        return ContainerSpec(**cast("dict[str, object]", {**fields, **more}))  # type: ignore[arg-type]

    def start_writing(
        self, lines: list[tuple[str, str]], then: str = "sleep 300"
    ) -> ContainerState:
        """Start a container that writes `lines` of (stream, text) and then runs `then`."""
        redirect = {"stdout": "", "stderr": " >&2"}
        # A pause in between: two pipes are read by two of Docker's threads, in any order.
        script = [
            f"printf '%s\\n' {shlex.quote(text)}{redirect[stream]}; sleep 0.25"
            for stream, text in lines
        ]
        state = self.engine.start_container(
            self.spec("writer", ("sh", "-c", "; ".join([*script, then])))
        )
        if self.fake is not None:
            for stream, text in lines:
                self.fake.write(state.name, text, stream)
            if then != "sleep 300":
                self.fake.crash(state.name, int(then.split()[-1]))
        return state

    def plays(self, command: tuple[str, ...], run: ScriptedRun) -> tuple[str, ...]:
        """`command`, which the fake is told to act out as `run` and a real engine just runs."""
        if self.fake is not None:
            self.fake.script(command, run)
        return command

    def acts(self, command: tuple[str, ...], execution: ScriptedExecution) -> tuple[str, ...]:
        """The same for a command that is executed in a running container."""
        if self.fake is not None:
            self.fake.play(command, execution)
        return command


@pytest.fixture(params=["fake", "docker"])
def engine_case(request: pytest.FixtureRequest) -> Iterator[EngineCase]:
    """The protocol's suite runs once per engine; what it made is gone afterwards."""
    if request.param == "fake":
        fake = FakeEngine()
        fake.add_image("moonbase/static:1", exposed_ports=(80,), command=("/bin/serve",))
        case = EngineCase(fake, "moonbase/static:1", "10.214.0.0/16", fake)
    else:
        private: PrivateEngine = request.getfixturevalue("private_engine")
        image: str = request.getfixturevalue("static_base_image")
        case = EngineCase(DockerEngine(private.socket), image, private.pool, None)
    case.engine.ensure_network(NetworkSpec(case.network, case.subnet, case.labels))
    yield case
    ours = {LABEL_INSTALLATION: case.installation}
    for container in case.engine.list_containers(ours):
        case.engine.remove_container(container.name)
    for network in case.engine.list_networks(ours):
        case.engine.remove_network(network)
    for volume in case.engine.list_volumes(ours):
        case.engine.remove_volume(volume)


@dataclass
class BuilderCase:
    """A builder, the engine its images appear on, and the network its builds use."""

    builder: ImageBuilder
    engine: Engine
    network: str
    base: str
    fake: FakeImageBuilder | None
    installation: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_INSTALLATION: self.installation}


@pytest.fixture(params=["fake", "docker"])
def builder_case(request: pytest.FixtureRequest) -> Iterator[BuilderCase]:
    """The builder's suite runs once per builder; the images it made are gone afterwards."""
    if request.param == "fake":
        engine = FakeEngine()
        engine.add_image("moonbase/static:1", exposed_ports=(80,), command=("/bin/serve",))
        fake = FakeImageBuilder(engine)
        case = BuilderCase(fake, engine, "build", "moonbase/static:1", fake)
    else:
        private: PrivateEngine = request.getfixturevalue("private_engine")
        base: str = request.getfixturevalue("static_base_image")
        case = BuilderCase(
            DockerImageBuilder(private.socket),
            DockerEngine(private.socket),
            private.build_network,
            base,
            None,
        )
    yield case
    for image in case.engine.list_images(case.labels):
        for tag in image.tags or (image.id,):
            case.engine.remove_image(tag)
