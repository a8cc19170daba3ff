"""What a build has made so far, kept in a file: a process that is killed cannot tidy up itself.

Called by `docker.py`, which notes, and by clean-up through `ImageBuilder.sweep`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from docker.errors import APIError
from docker.errors import NotFound as NoSuchObject

from app.adapters.cgroups import BUILDS
from app.adapters.docker_api import DockerConnection, engine_errors


class Journal:
    """One build's file; `path` None keeps nothing."""

    def __init__(self, path: Path | None, network: str) -> None:
        self._path = path
        self._network = network
        self._count = 0

    def note(self, containers: Sequence[str], images: Sequence[str]) -> None:
        """Write when there is more than before, so that the file is there before it is needed."""
        count = len(containers) + len(images)
        if self._path is None or count == self._count:
            return
        self._count = count
        made = {"network": self._network, "containers": [*containers], "images": [*images]}
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_text(json.dumps(made))
        draft.replace(self._path)

    def close(self) -> None:
        """The build has succeeded: all it made is wanted."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def sweep(connection: DockerConnection, path: Path) -> None:
    """Remove what the build of this file left, then the file; fine with no file.

    Untagged images and build containers only, whatever the file says. Raises `Unavailable` when
    the engine does not answer; the file then stays for another try.
    """
    try:
        made = json.loads(path.read_text())
    except FileNotFoundError:
        return
    with engine_errors():
        for container in made["containers"]:
            _remove_container(connection, container, made["network"])
        for image in reversed(made["images"]):
            _remove_image(connection, image)
    path.unlink(missing_ok=True)


def _remove_container(connection: DockerConnection, container: str, network: str) -> None:
    api = connection.api()
    with suppress(NoSuchObject):
        settings = api.inspect_container(container)["HostConfig"]
        in_group = f"/{BUILDS.prefix}" in settings.get("CgroupParent", "")
        if in_group or settings.get("NetworkMode") == network:
            api.remove_container(container, v=True, force=True)


def _remove_image(connection: DockerConnection, image: str) -> None:
    api = connection.api()
    with suppress(NoSuchObject):
        found = api.inspect_image(image)  # type: ignore[no-untyped-call]
        if not found.get("RepoTags"):
            try:
                api.remove_image(found["Id"], noprune=True)
            except APIError as error:
                if error.status_code != 409:  # something was made from it since: it is wanted
                    raise
