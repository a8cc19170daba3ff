"""What Moonbase asks of a container engine. `docker.py` asks Docker; `fake.py` plays one in memory.

Called by the deployment pipeline, the reconciler, the observer and clean-up. Every name is
Moonbase's own and every object carries labels, so that nothing foreign is ever touched.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

LABEL_INSTALLATION = "moonbase.installation"
LABEL_ENVIRONMENT = "moonbase.environment"
LABEL_DEPLOYMENT = "moonbase.deployment"
LABEL_ROLE = "moonbase.role"
LABEL_PROCESS = "moonbase.process"
"""Of a container beside the web server: which process it runs."""
LABEL_SERVICE = "moonbase.service"
"""On containers and volumes of embedded servers: the key of the server."""


@dataclass(frozen=True)
class Limits:
    """What one container may use. `memory_bytes` is hard: the kernel kills beyond it."""

    memory_bytes: int
    cpus: float
    pids: int


@dataclass(frozen=True)
class NetworkSpec:
    """A bridge network with an explicit subnet, e.g. `10.213.0.32/27`."""

    name: str
    subnet: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ContainerSpec:
    """One container as it should run. `command` None means the image's own CMD.

    `address` is fixed inside the network's subnet, so that it survives a restart of the engine.
    `restarts` asks the engine to bring the container back after a crash or its own restart.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    network: str
    limits: Limits
    address: str | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    restarts: bool = False
    aliases: tuple[str, ...] = ()
    """Names by which other containers of the network find it."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Path in the container by the name of a volume that `ensure_volume` made."""
    user: str = ""
    """Whom it runs as; empty means the image's own."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text by path, put in before it starts: for everybody to read, and nobody's to change."""


@dataclass(frozen=True)
class ContainerState:
    """What the engine says of one container. `exit_code` is None while it runs."""

    id: str
    name: str
    image: str
    running: bool
    exit_code: int | None
    oom_killed: bool
    address: str | None
    labels: Mapping[str, str]
    restart_count: int
    restarting: bool = False
    """It crashed, and the engine waits a moment before it starts it again."""
    started_at: datetime.datetime | None = None
    """When its program was started last; None: never."""
    ended_at: datetime.datetime | None = None
    """When that ended; None while it runs, and before."""


@dataclass(frozen=True)
class ImageState:
    """What the engine says of one image. `exposed_ports` are TCP, ascending. `size` in bytes."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    exposed_ports: tuple[int, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    size: int
    created_at: datetime.datetime


@dataclass(frozen=True)
class LogLine:
    """One line a container wrote. `stream` is "stdout" or "stderr"; `text` has no newline."""

    at: datetime.datetime
    stream: str
    text: str


@dataclass(frozen=True)
class CommandResult:
    """How a one-off container ended. `exit_code` is None when it was stopped from outside."""

    exit_code: int | None
    timed_out: bool = False
    cancelled: bool = False
    oom_killed: bool = False


@dataclass(frozen=True)
class Execution:
    """How a command inside a running container ended. `errors` is the end of what it wrote to
    stderr, at most 4,000 characters."""

    exit_code: int | None
    errors: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class EngineEvent:
    """Something that happened to a labelled container: `start`, `die`, `oom` or `destroy`."""

    at: datetime.datetime
    action: str
    container: str
    labels: Mapping[str, str]
    exit_code: int | None = None


class Engine(Protocol):
    """A container engine. All errors are `Unavailable` (engine down) or `Invalid` (refused)."""

    def ping(self) -> str:
        """The engine's version, or `Unavailable`."""
        ...

    def ensure_network(self, spec: NetworkSpec) -> None:
        """Make the network unless one of that name and subnet is there."""
        ...

    def remove_network(self, name: str) -> None:
        """Remove the network; silent when it is gone already. Servers of ours (`LABEL_SERVICE`)
        that were only connected to an environment's network are taken out of it first."""
        ...

    def list_networks(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the networks that carry all of `labels`."""
        ...

    def connect(self, network: str, container: str, aliases: tuple[str, ...] = ()) -> None:
        """Put a running container into one more network, under these names; silent when it is
        there already. The engine chooses its address and keeps it there over restarts."""
        ...

    def disconnect(self, network: str, container: str) -> None:
        """Take it out of the network again; silent when either is gone."""
        ...

    def networks_of(self, container: str) -> frozenset[str]:
        """Names of the networks it is in; empty when there is no such container."""
        ...

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the volume unless it is there. Raises `Invalid` when it is somebody else's."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove it with all data; silent when it is gone, `Invalid` while a container has it."""
        ...

    def list_volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the volumes that carry all of `labels`, sorted."""
        ...

    def start_container(self, spec: ContainerSpec) -> ContainerState:
        """Create and start. A leftover of the same name that is ours is replaced."""
        ...

    def check_program(self, spec: ContainerSpec) -> None:
        """Raise `Invalid` when the program that `spec` would run is not in its image. Nothing is
        started."""
        ...

    def execute(
        self,
        container: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        timeout_seconds: float,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Execution:
        """Run `command` in a container that runs. Its standard input is read from `source` and
        its standard output written to `sink`, piece by piece: memory stays flat. A command that
        outlives its time is killed. Raises `Unavailable` when the container does not run."""
        ...

    def stop_container(self, name: str, grace_seconds: int) -> None:
        """SIGTERM, then SIGKILL after `grace_seconds`; silent when it is gone or stopped."""
        ...

    def remove_container(self, name: str) -> None:
        """Kill and remove with its anonymous volumes; silent when it is gone."""
        ...

    def inspect_container(self, name: str) -> ContainerState | None:
        """State now, or None when there is no such container."""
        ...

    def list_containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        """All containers, running or not, that carry all of `labels`."""
        ...

    def tail_logs(self, name: str, lines: int) -> list[LogLine]:
        """The last `lines` lines; empty when the container is gone."""
        ...

    def follow_logs(self, name: str, since: datetime.datetime | None) -> Iterator[LogLine]:
        """Lines as they come, until the container ends or is removed."""
        ...

    def run_command(
        self,
        spec: ContainerSpec,
        timeout_seconds: float,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> CommandResult:
        """Run `spec.command` in a container that is removed afterwards, whatever happens."""
        ...

    def was_killed_for_memory(self, name: str, since: datetime.datetime) -> bool:
        """Whether the kernel killed any process of the container, children included.

        The engine's own OOMKilled flag stays false for a child, so its event record is asked.
        """
        ...

    def inspect_image(self, reference: str) -> ImageState | None:
        """The image, or None."""
        ...

    def list_images(self, labels: Mapping[str, str]) -> list[ImageState]:
        """Images that carry all of `labels`."""
        ...

    def remove_image(self, reference: str) -> None:
        """Remove a tag (and the image with its last tag); silent when gone or in use."""
        ...

    def follow_events(
        self, labels: Mapping[str, str], since: datetime.datetime | None
    ) -> Iterator[EngineEvent]:
        """Events of labelled containers as they happen, until the engine goes away."""
        ...
