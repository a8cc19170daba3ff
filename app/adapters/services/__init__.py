"""What Moonbase asks of servers that sites need: databases, storage, brokers, caches, search.

Called by the rooms `services` and `backups`, from workers only. One backend a kind; the contract
suite in `tests/contracts/test_services.py` runs over each of them against the real server.

A **server** is either embedded, a container that the panel builds, starts and keeps, or an
administrator's, known by its URL. An **instance** is what one environment has on it: a database
with its role, a bucket with its key, a virtual host with its user, a Redis of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Protocol


class ServiceKind(StrEnum):
    """The kinds of service; the same words as in the contract of addons."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    OBJECT_STORAGE = "object-storage"
    RABBITMQ = "rabbitmq"
    REDIS = "redis"
    SEARCH = "search"


class Content(StrEnum):
    """What a backup of a service holds; a service that has none is not backed up."""

    DATABASE = "database"
    MEDIA = "media"


@dataclass(frozen=True)
class Server:
    """Where instances live.

    `key` (uuid) names what is made in the engine for it. `secret` is the administrator's password
    of an embedded server, chosen by the panel beforehand; of another one the administrator's URL,
    password included.
    """

    key: str
    kind: ServiceKind
    version: str
    is_embedded: bool
    secret: str = field(repr=False)
    installation_id: str
    network: str = ""
    """The subnet of the network in which embedded servers stand, e.g. `10.213.0.0/27`."""
    media_address: str = ""
    """Where browsers reach public media of an embedded object storage, with `{bucket}` in it:
    `http://{bucket}--media.localhost:8080`."""


@dataclass(frozen=True)
class Order:
    """An instance as it is to be made. `key` is random, 16 of `a-z0-9` beginning with a letter:
    it names database, role, bucket, virtual host, so that a tenant who can list names learns
    nothing. `password` was chosen beforehand and kept, so that a worker that dies between making
    and noting leaves nothing nobody has the password of."""

    key: str
    password: str = field(repr=False)
    connections: int = 60  # per environment (L5964)
    extensions: tuple[str, ...] = ()
    """PostgreSQL only: which ones to create in the database."""


Facts = Mapping[str, str]
"""What provisioning made, as the backend itself reads it: host, port, user, password, …"""


@dataclass(frozen=True)
class Usage:
    """How much an instance has. None: the kind does not know such a thing."""

    bytes: int | None = None
    connections: int | None = None
    objects: int | None = None


@dataclass(frozen=True)
class Contents:
    """What is in an instance, to compare two of them: rows by table, or objects and bytes in all.
    `digest` is a SHA-256 over names and contents where the backend reads them anyway."""

    counts: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""


class ServiceBackend(Protocol):
    """One kind of service. Everything may be asked twice: a worker may have died after the first
    time. Errors are `Unavailable` (server down, slow, full) or `Invalid` (refused), each a
    sentence for people without any secret in it."""

    kind: ServiceKind
    content: Content | None

    @property
    def versions(self) -> tuple[str, ...]:
        """Of embedded servers that can be had here, the recommended one first; may be empty."""
        ...

    def start(self, server: Server) -> None:
        """Bring an embedded server up, image and volume included, and wait until it answers;
        of another one, see that it answers."""
        ...

    def stop(self, server: Server) -> None:
        """Stop an embedded server; its data stays. Nothing for another one."""
        ...

    def remove(self, server: Server) -> None:
        """Remove an embedded server with all its data. Nothing for another one."""
        ...

    def provision(self, server: Server, order: Order) -> Facts:
        """Make the instance, or complete one that was half made. The server is up."""
        ...

    def attach(self, server: Server, facts: Facts, network: str) -> None:
        """Make the instance reachable from the containers of an environment's network."""
        ...

    def detach(self, server: Server, facts: Facts, network: str) -> None:
        """Take that back; other instances of the server that the same network needs are the
        caller's to know."""
        ...

    def variables(self, prefix: str, facts: Facts) -> dict[str, str]:
        """The environment variables of an instance with this prefix; all hold secrets."""
        ...

    def usage(self, server: Server, facts: Facts) -> Usage:
        """How much it has now."""
        ...

    def contents(self, server: Server, facts: Facts) -> Contents:
        """What is in it, counted now."""
        ...

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """Write all that is in it to `sink`, piece by piece: a custom-format dump (`pg_dump -Fc`),
        SQL, or a tar with a manifest. What is written and what is counted is one state."""
        ...

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Replace all that is in it by what `backup` or `take_in` wrote; `source` is seekable back
        to where it stands. Raises `Invalid` when that is damaged, of another engine or too new, as
        far as it can be seen with the instance as it was. `is_whole`: who gives it has seen that
        it is what was written, so that it may be put into place while it is read."""
        ...

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        """End what a restore that was cut off has begun, and remove what it left beside the
        instance. The server is up, and nobody restores into it. `facts` are empty for an instance
        that is removed next. Raises `Unavailable`."""
        ...

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """Turn a file that a person brings into one that `restore` takes, piece by piece: a dump,
        or a tar of files without any folder above them, gzipped or not. No server is asked.
        Raises `Invalid` when it is something else, or would be more than `most` bytes. A dump is
        not counted; whether it is whole and can be run is seen by `restore`."""
        ...

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Turn what `backup` wrote into what people open at home: the dump as it is, or a tar of
        the files by their own names. No server is asked. Raises `Invalid` when it is damaged."""
        ...

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Remove the instance with all data; silent when it is gone. `facts` are empty when it
        was never noted what was made."""
        ...


class Backends(Protocol):
    """All kinds there are."""

    def of(self, kind: ServiceKind) -> ServiceBackend:
        """The backend of this kind."""
        ...

    def variables(self, kind: ServiceKind, prefix: str, facts: Facts) -> dict[str, str]:
        """What the backend of this kind would say, without loading its libraries: for pages."""
        ...
