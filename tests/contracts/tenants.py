"""Environments as servers see them: a network each, and containers in it that try things."""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from app.adapters.engine import LABEL_ENVIRONMENT, LABEL_INSTALLATION, ContainerSpec, NetworkSpec
from app.adapters.engine.docker import DockerEngine
from tests.contracts.engine_fixtures import LIMITS, next_subnet
from tests.engine.private_engine import PrivateEngine

_TRY_SECONDS = 20


@dataclass
class Tenants:
    """Environments on one private engine; `close` removes what they made. `image` has busybox
    and whatever the tests try from inside."""

    private: PrivateEngine
    image: str
    installation_id: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        self.engine = DockerEngine(self.private.socket)

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_INSTALLATION: self.installation_id}

    def new_network(self) -> str:
        """The name of a new environment's network."""
        name = f"{self.installation_id}-{secrets.token_hex(4)}"
        labels = {**self.labels, LABEL_ENVIRONMENT: "7"}
        self.engine.ensure_network(NetworkSpec(name, next_subnet(self.private.pool), labels))
        return name

    def run_inside(self, network: str, *command: str) -> str:
        """What a container in this network writes, with `exit <code>` as its last line."""
        lines: list[str] = []
        spec = ContainerSpec(
            name=f"{self.installation_id}-{secrets.token_hex(4)}",
            image=self.image,
            labels=self.labels,
            network=network,
            limits=LIMITS,
            command=command,
        )
        done = self.engine.run_command(spec, _TRY_SECONDS, lines.append, threading.Event())
        return "\n".join([*lines, f"exit {done.exit_code}"])

    def address_of(self, container: str, network: str) -> str:
        found = self.private.client().api.inspect_container(container)
        return str(found["NetworkSettings"]["Networks"][network]["IPAddress"])

    def kill_hard(self, container: str) -> None:
        """SIGKILL to its first process, as the kernel would; the engine thinks it crashed."""
        found = self.private.client().api.inspect_container(container)
        os.kill(found["State"]["Pid"], 9)

    def recorded(self, container: str) -> str:
        """All the engine keeps of it: `docker inspect`."""
        return str(self.private.client().api.inspect_container(container))

    def close(self) -> None:
        for container in self.engine.list_containers(self.labels):
            self.engine.remove_container(container.name)
        for network in self.engine.list_networks(self.labels):
            self.engine.remove_network(network)
        for volume in self.engine.list_volumes(self.labels):
            self.engine.remove_volume(volume)


def wait_until(is_so: Callable[[], object], seconds: float = 20) -> None:
    """Ask again until it is so; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to be so in time"
        time.sleep(0.05)
