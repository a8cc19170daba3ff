"""What a build has made so far, kept in a file: a process that is killed cannot tidy up itself.

Called by `docker.py`, which notes, and by clean-up through `ImageBuilder.sweep`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as NoSuchObject

from app.adapters.cgroups import BUILDS
from app.adapters.docker_api import DockerConnection, engine_errors
from app.adapters.engine.answers import moment
from app.adapters.image_builder.progress import Progress

_SETTLED_SECONDS = 60.0
"""How long after the first sweep a journal is kept for another one. An engine whose client is gone
finishes the COPY it is at (2 s for 400 MB, measured) and makes an image that nobody hears of."""


class Journal:
    """One build's file; `path` None keeps nothing."""

    def __init__(self, path: Path | None, network: str) -> None:
        self._path = path
        self._network = network
        self._began = time.time()
        self._noted: dict[str, Any] = {}

    def note(self, progress: Progress) -> None:
        """Write when there is more than before, so that the file is there before it is needed."""
        made = {
            "network": self._network,
            "began": self._began,
            "bases": progress.bases,
            "containers": progress.containers,
            "images": progress.images,
        }
        if self._path is not None and made != self._noted:
            _write(self._path, made)
            self._noted = made

    def sweep(self, connection: DockerConnection, is_over: bool) -> None:
        """As `sweep`, but for what nobody has named: that may be another build's. One that
        `is_over` leaves nothing more, so its file goes at once."""
        if self._path is not None:
            sweep(connection, self._path, None)
            if is_over:
                self.close()

    def close(self) -> None:
        """The build has succeeded: all it made is wanted."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def sweep(connection: DockerConnection, path: Path, others: Sequence[Path] | None) -> None:
    """Remove what the build of this file left, and the file a minute later, when nothing more can
    come of it; fine with no file.

    `others`: files of the builds that run. While one of these may have the same base, what nobody
    has named may be its own, a moment old, and stays for another try; so it does for None.

    Untagged images and build containers only, whatever the file says. Raises `Unavailable` when
    the engine does not answer; the file then stays for another try.
    """
    try:
        made = json.loads(path.read_text())
    except FileNotFoundError:
        return
    is_alone = others is not None and not any(_may_share(other, made["bases"]) for other in others)
    with engine_errors():
        for container in made["containers"]:
            _remove_container(connection, container, made["network"])
        unheard_of = _unheard_of(connection, made) if is_alone else []
        for image in [*unheard_of, *reversed(made["images"])]:
            _remove_image(connection, image)
    now = time.time()
    if now - made.setdefault("swept", now) < _SETTLED_SECONDS or not is_alone:
        _write(path, made)
    else:
        path.unlink(missing_ok=True)


def _unheard_of(connection: DockerConnection, made: Mapping[str, Any]) -> list[str]:
    """Ids of what was made since this build began and nobody has named, the latest first."""
    if "began" not in made:  # by an older Moonbase
        return []
    api = connection.api()
    heads = [
        head["Id"]
        for head in api.images(filters={"dangling": True})
        if head["Created"] >= int(made["began"]) - 1
    ]
    return [image for head in heads for image in _line_of(api, head, made)]


def _line_of(api: APIClient, image: str, made: Mapping[str, Any]) -> list[str]:
    """`image` and those below it down to what surely is of this build; none if nothing is."""
    line: list[str] = []
    with suppress(NoSuchObject):
        while image:
            found = api.inspect_image(image)  # type: ignore[no-untyped-call]
            if found["RepoTags"] or moment(found["Created"]).timestamp() < made["began"] - 1:
                return []  # somebody else's, as is all that stands on it
            line.append(image)
            if _is_of(found, made):
                return line
            image = found["Parent"]
    return []


def _is_of(found: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether an image is one the build has named, or was made by a COPY or ADD on one of its bases
    or of one of its containers: a parent that is swept at that moment is not noted."""
    # Newer engines say neither of what container an image was made, nor by which command.
    command: list[str] = (found.get("ContainerConfig") or {}).get("Cmd") or [""]
    is_copied = command[-1].startswith(("#(nop) COPY ", "#(nop) ADD "))
    return (
        _is_one_of(found["Id"], made["images"])
        or (is_copied and _is_one_of(found["Parent"], made["bases"]))
        or _is_one_of(found.get("Container", ""), made["containers"])
    )


def _may_share(path: Path, bases: list[str]) -> bool:
    """Whether the build of a file may begin with one of `bases`; one that has not said yet may."""
    try:
        made = json.loads(path.read_text())
    except FileNotFoundError:  # it has just ended
        return False
    return not made["bases"] or not set(bases).isdisjoint(made["bases"])


def _is_one_of(name: str, short_ids: list[str]) -> bool:
    return name.removeprefix("sha256:").startswith(tuple(short_ids))


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


def _write(path: Path, made: Mapping[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps(made))
    draft.replace(path)
