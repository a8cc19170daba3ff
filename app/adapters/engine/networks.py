"""The part of `DockerEngine` that makes networks, and puts containers into more than their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import APIError
from docker.errors import NotFound as NoSuchObject

from app.adapters.docker_api import DockerConnection, engine_errors
from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_SERVICE,
    NetworkSpec,
)
from app.adapters.engine.commands import network_settings
from app.adapters.engine.refusals import (
    CONFLICT,
    GONE,
    REFUSED,
    label_filter,
    refuse_foreign,
    silent,
)


class DockerNetworks:
    """Networks of one engine, and who is in them."""

    _connection: DockerConnection

    def ensure_network(self, spec: NetworkSpec) -> None:
        """Make the network unless it is there; one of ours with another subnet is made anew."""
        api = self._connection.api()
        with engine_errors():
            try:
                found = api.inspect_network(spec.name)
            except NoSuchObject:
                found = None
            if found is not None:
                if any(c.get("Subnet") == spec.subnet for c in found["IPAM"]["Config"] or ()):
                    return
                refuse_foreign(found.get("Labels"), spec.labels, "network", spec.name)
                api.remove_network(found["Id"])
            try:
                self._connection.ask(
                    "POST", "/networks/create", body=network_settings(spec)
                ).close()
            except APIError as error:
                # Another thread was faster: the network is there, which is all we wanted.
                if error.status_code != CONFLICT:
                    raise

    def remove_network(self, name: str) -> None:
        """Remove the network; silent when it is gone, `Invalid` while it has containers.

        Servers that stand elsewhere and were only connected to it are taken out first.
        """
        api = self._connection.api()
        with engine_errors(), silent(GONE):
            found = api.inspect_network(name)
            for server in self._servers_in(name, found.get("Labels") or {}):
                self.disconnect(name, server)
            api.remove_network(found["Id"])

    def list_networks(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the networks that carry all of `labels`, sorted."""
        with engine_errors():
            found = self._connection.api().networks(filters=label_filter(labels))
            return sorted(network["Name"] for network in found)

    def connect(self, network: str, container: str, aliases: tuple[str, ...] = ()) -> None:
        """Put a container into one more network, under these names; silent when it is there
        already. The engine chooses its address and connects it again after a restart."""
        if network in self.networks_of(container):
            return
        with engine_errors(), silent(REFUSED):  # another thread was faster
            self._connection.api().connect_container_to_network(
                container, network, aliases=list(aliases)
            )

    def disconnect(self, network: str, container: str) -> None:
        """Take it out of the network again; silent when either is gone."""
        if network not in self.networks_of(container):
            return
        with engine_errors(), silent(GONE, REFUSED):
            self._connection.api().disconnect_container_from_network(container, network, force=True)

    def networks_of(self, container: str) -> frozenset[str]:
        """Names of the networks it is in; empty when there is no such container."""
        with engine_errors(), silent(GONE):
            found = self._connection.api().inspect_container(container)
            return frozenset(found["NetworkSettings"]["Networks"])
        return frozenset()

    def _servers_in(self, network: str, labels: Mapping[str, str]) -> list[str]:
        """Ids of our servers in a network that is not their own, stopped ones included: those
        could not start again once the network is gone. A network's own list leaves them out."""
        if LABEL_INSTALLATION not in labels or LABEL_ENVIRONMENT not in labels:
            return []
        ours = label_filter({LABEL_INSTALLATION: labels[LABEL_INSTALLATION]})
        ours["label"].append(LABEL_SERVICE)
        found: list[dict[str, Any]] = self._connection.api().containers(all=True, filters=ours)
        return [c["Id"] for c in found if network in c["NetworkSettings"]["Networks"]]
