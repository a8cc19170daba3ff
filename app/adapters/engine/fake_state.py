"""The networks and volumes of the `Engine` in memory, and what it keeps of a container."""

from __future__ import annotations

import datetime
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_SERVICE,
    ContainerSpec,
    ContainerState,
    LogLine,
    NetworkSpec,
)
from app.errors import Invalid


@dataclass
class FakeContainer:
    """A container with what it wrote and when the kernel killed in it."""

    spec: ContainerSpec
    state: ContainerState
    lines: list[LogLine] = field(default_factory=list)
    memory_kills: list[datetime.datetime] = field(default_factory=list)


class FakeState:
    """What the parts of the fake share."""

    _changed: threading.Condition
    _containers: dict[str, FakeContainer]
    _connected: defaultdict[str, dict[str, tuple[str, ...]]]
    """Aliases by network, by container."""

    def _asked(self, method: str, about: object) -> None:
        raise NotImplementedError


class FakeNetworks(FakeState):
    """Networks in memory. `aliases_of` tells tests by which names a container is found."""

    _networks: dict[str, NetworkSpec]

    def aliases_of(self, container: str, network: str) -> tuple[str, ...]:
        """Names of the container in the network; for tests."""
        found = self._containers[container]
        if found.spec.network == network:
            return found.spec.aliases
        return self._connected[container][network]

    def ensure_network(self, spec: NetworkSpec) -> None:
        self._asked("ensure_network", spec.name)
        with self._changed:
            found = self._networks.get(spec.name)
            if found and found.subnet != spec.subnet:
                refuse_foreign(found.labels, spec.labels, "network", spec.name)
                del self._networks[spec.name]
            self._networks.setdefault(spec.name, spec)

    def remove_network(self, name: str) -> None:
        self._asked("remove_network", name)
        with self._changed:
            network = self._networks.get(name)
            if network and LABEL_ENVIRONMENT in network.labels:
                for server in self._connected_services(network.labels.get(LABEL_INSTALLATION)):
                    self._connected[server].pop(name, None)
            inside = [c for c, state in self._containers.items() if state.state.running]
            if any(name in self._networks_of(container) for container in inside):
                raise Invalid("The network still has containers.")
            self._networks.pop(name, None)

    def list_networks(self, labels: Mapping[str, str]) -> list[str]:
        self._asked("list_networks", labels)
        with self._changed:
            return sorted(n.name for n in self._networks.values() if carries(n.labels, labels))

    def connect(self, network: str, container: str, aliases: tuple[str, ...] = ()) -> None:
        self._asked("connect", (network, container))
        with self._changed:
            if container not in self._containers:
                raise Invalid(f"The container “{container}” is gone.")
            if network not in self._networks:
                raise Invalid(f"The network “{network}” does not exist.")
            if network not in self._networks_of(container):
                self._connected[container][network] = aliases

    def disconnect(self, network: str, container: str) -> None:
        self._asked("disconnect", (network, container))
        with self._changed:
            self._connected[container].pop(network, None)

    def networks_of(self, container: str) -> frozenset[str]:
        self._asked("networks_of", container)
        with self._changed:
            return self._networks_of(container)

    def _networks_of(self, container: str) -> frozenset[str]:
        if container not in self._containers:
            return frozenset()
        return frozenset({self._containers[container].spec.network, *self._connected[container]})

    def _connected_services(self, installation: str | None) -> list[str]:
        return [
            name
            for name, container in self._containers.items()
            if LABEL_SERVICE in container.spec.labels
            and container.spec.labels.get(LABEL_INSTALLATION) == installation
        ]


class FakeVolumes(FakeState):
    """Volumes in memory; nothing is in them."""

    _volumes: dict[str, Mapping[str, str]]

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        self._asked("ensure_volume", name)
        with self._changed:
            refuse_foreign(self._volumes.setdefault(name, dict(labels)), labels, "volume", name)

    def remove_volume(self, name: str) -> None:
        self._asked("remove_volume", name)
        with self._changed:
            if any(name in c.spec.volumes.values() for c in self._containers.values()):
                raise Invalid("The volume is still in use.")
            self._volumes.pop(name, None)

    def list_volumes(self, labels: Mapping[str, str]) -> list[str]:
        self._asked("list_volumes", labels)
        with self._changed:
            return sorted(name for name, has in self._volumes.items() if carries(has, labels))


def refuse_foreign(
    found: Mapping[str, str], wanted: Mapping[str, str], kind: str, name: str
) -> None:
    """`Invalid` unless both carry the same installation label."""
    owner = found.get(LABEL_INSTALLATION)
    if owner is None or owner != wanted.get(LABEL_INSTALLATION):
        raise Invalid(f"A {kind} named “{name}” that is not ours is in the way.")


def carries(has: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `has` holds all labels of `wanted`."""
    return all(has.get(name) == value for name, value in wanted.items())


def now() -> datetime.datetime:
    """This moment, in UTC."""
    return datetime.datetime.now(datetime.UTC)
