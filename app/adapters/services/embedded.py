"""What all embedded servers share: a container the panel makes, starts and keeps.

A server is one container (or several: each has a `part`) on one network of servers, with one named
volume. It is made from a base image of `base_images/`, which is made on its first use. Sites reach
it because it is connected to their environment's own network; nothing is published.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from app.adapters.engine import (
    LABEL_INSTALLATION,
    LABEL_ROLE,
    LABEL_SERVICE,
    ContainerSpec,
    ContainerState,
    Engine,
    Execution,
    Limits,
    NetworkSpec,
)
from app.adapters.services import Server
from app.adapters.services.base_images import BaseImages
from app.config import Settings
from app.errors import Invalid, Unavailable

_ROLE = "service"
_LOOK_SECONDS = 0.1
# What it takes to make a file of ours in a new volume, on a busy disk.
_PREPARING_SECONDS = 60
_REMOVE_SECONDS = 60
_ASIDE_SECONDS = 6 * 3600
_PREPARING_LIMITS = Limits(memory_bytes=64 * 2**20, cpus=1.0, pids=20)


@dataclass(frozen=True)
class Program:
    """How one version of a server runs. Everything but `recipe` is the same for each of it.

    `name` is for people. `recipe` is a base image's; `command` None its CMD. `user` is
    `uid:gid`: the server never is root, so it has no capability at all. `data` is where its
    volume lies; empty: it keeps nothing. `files` are texts that are put into the volume before
    each start, readable by the server only, by their path below `data`: for secrets, which must
    stand neither in the environment nor on a command line. The server has `start_seconds` to
    answer after a start, `stop_seconds` to end by itself. `address` fixes where it stands in the
    network of servers, for one whose address is kept elsewhere; empty: the engine chooses.
    """

    name: str
    recipe: str
    user: str
    limits: Limits
    data: str = ""
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    start_seconds: float = 60
    stop_seconds: int = 30
    address: str = ""


class Embedded:
    """Embedded servers on one engine. Safe for threads and for several workers of a machine."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.images = BaseImages(engine, settings)
        self._locks = settings.data_dir / "cache" / "services"

    def start(
        self,
        server: Server,
        program: Program,
        answers: Callable[[str], bool],
        part: str = "",
        alias: str = "",
    ) -> None:
        """Bring it up unless it runs, and wait until `answers(address)` is true.

        Networks it was connected to before, it is connected to again, as `alias`. An error of
        `answers` means no. Raises `Unavailable` with the end of the server's log when its time is
        up, and when its image cannot be made.
        """
        name = container_name(server, part)
        with self._alone(name):
            state = self.engine.inspect_container(name)
            if state is None or not (state.running or state.restarting):
                self._run(server, program, part, alias)
        self._wait(server, program, answers, part)

    def stop(self, server: Server, program: Program) -> None:
        """Stop its containers, all parts; the data stays. Silent when there are none."""
        for container in self._containers(server):
            self.engine.stop_container(container.name, program.stop_seconds)

    def remove(self, server: Server, part: str | None = None) -> None:
        """Remove its containers and volumes with all data; or those of one part only."""
        for container in self._containers(server):
            if part is None or container.name == container_name(server, part):
                self.engine.remove_container(container.name)
        labels = _labels(server)
        for volume in self.engine.list_volumes(labels):
            if part is None or volume == container_name(server, part):
                self.engine.remove_volume(volume)

    def address(self, server: Server, part: str = "") -> str:
        """Where the worker reaches it. Raises `Unavailable` when it does not run."""
        state = self.engine.inspect_container(container_name(server, part))
        if state is None or not state.running or state.address is None:
            raise Unavailable("The server does not run.")
        return state.address

    def attach(self, server: Server, network: str, alias: str, part: str = "") -> None:
        """Put it into an environment's network, where it is found as `alias`."""
        self.engine.connect(network, container_name(server, part), (alias,))

    def detach(self, server: Server, network: str, part: str = "") -> None:
        """Take it out of the network; silent when it or the network is gone."""
        self.engine.disconnect(network, container_name(server, part))

    def execute(
        self,
        server: Server,
        command: tuple[str, ...],
        seconds: float,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Execution:
        """Run a command in the server's own container, as the server's own user."""
        return self.engine.execute(container_name(server), command, {}, seconds, source, sink)

    def remove_files(self, server: Server, paths: Sequence[str]) -> None:
        """Remove files in the server's own container; silent when they are gone. Raises
        `Unavailable`."""
        done = self.execute(server, ("rm", "-f", *paths), _REMOVE_SECONDS)
        if done.exit_code != 0:
            raise Unavailable("Files that a restore has left in the server cannot be removed.")

    @contextlib.contextmanager
    def beside(self, server: Server, program: Program) -> Iterator[str]:
        """The name of a container with the program's image in which tools can be run for a server
        of an administrator's. It stands in the network of servers and is gone afterwards."""
        for left in self._containers(server):  # of a worker that was killed, with a dump in it
            if not left.running and left.name.startswith(container_name(server, "beside-")):
                self.engine.remove_container(left.name)
        image = self.images.ensure(program.recipe)
        spec = self._aside(server, program, image, f"beside-{secrets.token_hex(4)}")
        self.engine.start_container(spec)
        try:
            yield spec.name
        finally:
            self.engine.remove_container(spec.name)

    # ---------------------------------------------------------------------------------------

    def _run(self, server: Server, program: Program, part: str, alias: str) -> None:
        name = container_name(server, part)
        image = self.images.ensure(program.recipe)
        self._ensure_network(server)
        volumes = {}
        if program.data:
            self.engine.ensure_volume(name, _labels(server))
            volumes = {program.data: name}
            self._prepare(server, program, image, part)
        networks = self.engine.networks_of(name) - {network_name(server)}
        self.engine.start_container(
            ContainerSpec(
                name=name,
                image=image,
                labels=_labels(server),
                network=network_name(server),
                limits=program.limits,
                address=program.address or None,
                command=program.command,
                environment=program.environment,
                restarts=True,
                aliases=(alias,) if alias else (),
                volumes=volumes,
                user=program.user,
            )
        )
        for network in sorted(networks):
            with contextlib.suppress(Invalid):  # it went away meanwhile
                self.engine.connect(network, name, (alias,) if alias else ())

    def _prepare(self, server: Server, program: Program, image: str, part: str) -> None:
        """Give the volume to the server's user, with the files it reads."""
        name = container_name(server, part)
        spec = replace(
            self._aside(server, program, image, f"{part}prepare"),
            limits=_PREPARING_LIMITS,
            volumes={program.data: name},
            user="0:0",
        )
        self.engine.start_container(spec)
        try:
            self._do(spec, ("chown", program.user, program.data))
            for path, text in program.files.items():
                target = f"{program.data}/{path}"
                script = 'umask 077; cat > "$1.new" && chown "$2" "$1.new" && mv "$1.new" "$1"'
                words = ("sh", "-c", script, "sh", target, program.user)
                self._do(spec, words, io.BytesIO(text.encode()))
        finally:
            self.engine.remove_container(spec.name)

    def _do(
        self, spec: ContainerSpec, command: tuple[str, ...], source: BinaryIO | None = None
    ) -> None:
        done = self.engine.execute(spec.name, command, {}, _PREPARING_SECONDS, source)
        if done.exit_code != 0:
            raise Unavailable("The server's volume cannot be prepared.")

    def _aside(self, server: Server, program: Program, image: str, purpose: str) -> ContainerSpec:
        self._ensure_network(server)
        return ContainerSpec(
            name=container_name(server, purpose),
            image=image,
            labels=_labels(server),
            network=network_name(server),
            limits=program.limits,
            command=("sleep", str(_ASIDE_SECONDS)),  # ends by itself should the worker die
            user=program.user,
        )

    def _ensure_network(self, server: Server) -> None:
        labels = {LABEL_INSTALLATION: server.installation_id, LABEL_ROLE: _ROLE}
        self.engine.ensure_network(NetworkSpec(network_name(server), server.network, labels))

    def _wait(
        self, server: Server, program: Program, answers: Callable[[str], bool], part: str
    ) -> None:
        name = container_name(server, part)
        deadline = time.monotonic() + program.start_seconds
        while True:
            state = self.engine.inspect_container(name)
            if state is not None and state.running and state.address and _yes(answers, state):
                return
            if state is None or time.monotonic() >= deadline:
                break
            time.sleep(_LOOK_SECONDS)
        said = self.engine.tail_logs(name, 1)
        end = f" Its log ends with: {said[0].text[:300]}" if said else ""
        raise Unavailable(
            f"{program.name} did not answer within {program.start_seconds:.0f} seconds."
            + end.replace(server.secret, "…")
        )

    def _containers(self, server: Server) -> list[ContainerState]:
        return self.engine.list_containers(_labels(server))

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One worker at a time: two that start it at once would take it from each other."""
        self._locks.mkdir(parents=True, exist_ok=True)
        with Path(self._locks / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def container_name(server: Server, part: str = "") -> str:
    """The name of its container, and of its volume."""
    return f"moonbase-service-{server.key}" + (f"-{part}" if part else "")


def network_name(server: Server) -> str:
    """The network in which embedded servers of the installation stand."""
    return f"moonbase-services-{server.installation_id[:8]}"


def _labels(server: Server) -> dict[str, str]:
    return {LABEL_INSTALLATION: server.installation_id, LABEL_SERVICE: server.key}


def _yes(answers: Callable[[str], bool], state: ContainerState) -> bool:
    with contextlib.suppress(OSError, Unavailable):
        return answers(state.address or "")
    return False
