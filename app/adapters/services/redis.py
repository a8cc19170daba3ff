"""Redis: a container per instance, in the networks of the sites that use it and in no other.

A shared Redis keeps tenants apart by the beginnings of keys only, and shows them the names of each
other's. So the "server" of this kind is no more than the image; `attach` starts what a site uses.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Callable
from typing import BinaryIO

from app.adapters.engine import (
    LABEL_INSTALLATION,
    LABEL_SERVICE,
    ContainerSpec,
    Engine,
    Limits,
)
from app.adapters.services import (
    Content,
    Contents,
    Facts,
    Order,
    Server,
    ServiceKind,
    Usage,
)
from app.adapters.services.exchange import NoExchange
from app.adapters.services.variables import variables_of
from app.errors import Invalid, Unavailable

PORT = 6379
LIMITS = Limits(memory_bytes=128 * 1024**2, cpus=0.5, pids=32)
"""Twice what it may keep (64 MB): the rest is for buffers of clients and for fragments."""
START_SECONDS = 20.0
"""It answers 0.1 s after its start (measured); an engine short of disk needs longer for that."""
COMMAND_SECONDS = 10.0
_LOOK_SECONDS = 0.05
RIGHTS = "~* &* +@all -@admin -migrate -restore -restore-asking -swapdb"
"""Everything a cache, a queue or a lock needs. Not what changes the server or reads its settings
(CONFIG, DEBUG, MODULE, REPLICAOF, SAVE, SHUTDOWN, ACL: `@admin`), connects to another server
(MIGRATE), or reads the server's own format (RESTORE). KEYS and FLUSHALL may stay: all is theirs."""
USER = "65534:65534"
_SILENT = "The Redis of this environment does not answer."


class Redis(NoExchange):
    """One container an instance. `ensure_image` makes the image of a recipe where it is missing
    and answers with its tag."""

    kind = ServiceKind.REDIS
    content: Content | None = None
    versions = ("7.0",)

    def __init__(self, engine: Engine, ensure_image: Callable[[str], str]) -> None:
        self._engine, self._ensure_image = engine, ensure_image

    def start(self, server: Server) -> None:
        """Make the image. Raises `Invalid` for an administrator's URL: there is none to be had."""
        if not server.is_embedded:
            raise Invalid("Moonbase starts a Redis for each instance; it takes no address of one.")
        self._ensure_image(_recipe(server))

    def stop(self, server: Server) -> None:
        """Stop those of all instances; what they hold is gone. `attach` starts one again."""
        for container in self._engine.list_containers(_labels(server)):
            self._engine.stop_container(container.name, grace_seconds=1)

    def remove(self, server: Server) -> None:
        """Remove those of all instances."""
        for container in self._engine.list_containers(_labels(server)):
            self._engine.remove_container(container.name)

    def provision(self, server: Server, order: Order) -> Facts:
        """Only say where it will be: without a site's network there is none to start it in."""
        return {
            "key": order.key,
            "host": f"redis-{order.key}",
            "port": str(PORT),
            "password": order.password,
        }

    def attach(self, server: Server, facts: Facts, network: str) -> None:
        """Start it in the network, or put the one that runs into it, and wait until it answers.

        Raises `Unavailable` when it does not within `START_SECONDS`.
        """
        name = _container(facts["key"])
        state = self._engine.inspect_container(name)
        if state is not None and state.running:
            self._engine.connect(network, name, (facts["host"],))
        else:
            others = self._engine.networks_of(name) - {network}
            self._engine.start_container(self._spec(server, facts, network))
            for other in others:
                with contextlib.suppress(Invalid):  # one that went away meanwhile
                    self._engine.connect(other, name, (facts["host"],))
        self._wait_for_answer(facts)

    def detach(self, server: Server, facts: Facts, network: str) -> None:
        """Take it out of the network. With its last one it is removed, and what it held is gone:
        a cache fills again."""
        name = _container(facts["key"])
        if self._engine.networks_of(name) - {network}:
            self._engine.disconnect(network, name)
        else:
            self._engine.remove_container(name)

    def variables(self, prefix: str, facts: Facts) -> dict[str, str]:
        """See `variables_of`."""
        return variables_of(self.kind, prefix, facts)

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Bytes of memory it uses and connections of sites; zeros while no site uses it."""
        if self._engine.inspect_container(_container(facts["key"])) is None:
            return Usage(bytes=0, connections=0)
        said = dict(
            line.split(":", 1) for line in self._ask(facts, "INFO").splitlines() if ":" in line
        )
        # One of the connections is the question's own.
        return Usage(
            bytes=int(said.get("used_memory", 0)),
            connections=max(0, int(said.get("connected_clients", 1)) - 1),
        )

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Nothing: a cache is not backed up."""
        return Contents()

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """Raises `Invalid`: a cache is not backed up."""
        raise Invalid("A cache is not backed up: what is in it can be made again.")

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Raises `Invalid`: a cache is not backed up."""
        raise Invalid("A cache is not backed up, so nothing can be restored into it.")

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Remove the container; silent when it is gone."""
        self._engine.remove_container(_container(key))

    def _spec(self, server: Server, facts: Facts, network: str) -> ContainerSpec:
        # The digest instead of the password: nothing of it stands in the engine's records.
        digest = hashlib.sha256(facts["password"].encode()).hexdigest()
        return ContainerSpec(
            name=_container(facts["key"]),
            image=self._ensure_image(_recipe(server)),
            labels=_labels(server),
            network=network,
            limits=LIMITS,
            command=(
                "/usr/bin/redis-server",
                "/etc/redis/redis.conf",
                *("--user", "default", "on", f"#{digest}", *RIGHTS.split()),
            ),
            restarts=True,
            aliases=(facts["host"],),
            user=USER,
        )

    def _wait_for_answer(self, facts: Facts) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self._ask(facts, "PING")
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def _ask(self, facts: Facts, *words: str) -> str:
        """What it answers, asked from inside its container: no way from the panel to it is
        needed, and the password stands in no command."""
        said = io.BytesIO()
        try:
            done = self._engine.execute(
                _container(facts["key"]),
                ("/usr/bin/redis-cli", "-e", *words),
                {"REDISCLI_AUTH": facts["password"]},
                COMMAND_SECONDS,
                sink=said,
            )
        except Invalid as error:  # the engine, about to start it again after a crash
            raise Unavailable(_SILENT) from error
        if done.exit_code != 0:
            raise Unavailable(_SILENT)
        return said.getvalue().decode(errors="replace")


def _container(key: str) -> str:
    return f"moonbase-redis-{key}"


def _recipe(server: Server) -> str:
    return f"redis-{server.version}"


def _labels(server: Server) -> dict[str, str]:
    return {LABEL_INSTALLATION: server.installation_id, LABEL_SERVICE: server.key}
