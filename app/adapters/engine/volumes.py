"""The part of `DockerEngine` that keeps what outlives a container: named volumes."""

from __future__ import annotations

from collections.abc import Mapping

from docker.errors import NotFound as NoSuchObject

from app.adapters.docker_api import DockerConnection, engine_errors
from app.adapters.engine.refusals import GONE, label_filter, refuse_foreign, silent


class DockerVolumes:
    """Named volumes of one engine, on its own disk."""

    _connection: DockerConnection

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the volume unless it is there. Raises `Invalid` when it is somebody else's."""
        api = self._connection.api()
        with engine_errors():
            try:
                found = api.inspect_volume(name)
            except NoSuchObject:
                found = api.create_volume(name, labels=dict(labels))
        refuse_foreign(found.get("Labels"), labels, "volume", name)

    def remove_volume(self, name: str) -> None:
        """Remove it with all data; silent when it is gone, `Invalid` while a container has it."""
        with engine_errors(), silent(GONE):
            self._connection.api().remove_volume(name)

    def list_volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the volumes that carry all of `labels`, sorted."""
        with engine_errors():
            found = self._connection.api().volumes(filters=label_filter(labels))
        return sorted(volume["Name"] for volume in found.get("Volumes") or ())
