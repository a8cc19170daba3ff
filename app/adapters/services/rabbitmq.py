"""RabbitMQ: a virtual host and a user per instance, on a server of ours or an administrator's."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import BinaryIO
from urllib.parse import urlsplit

from app.adapters.engine import Engine, Limits
from app.adapters.services import (
    Content,
    Contents,
    Facts,
    Order,
    Server,
    ServiceKind,
    Usage,
)
from app.adapters.services.embedded import Embedded, Program
from app.adapters.services.exchange import NoExchange
from app.adapters.services.hosted import Hosted
from app.adapters.services.json_api import JsonApi
from app.adapters.services.rabbitmq_hosts import VirtualHosts
from app.adapters.services.server_urls import Address, read_address
from app.config import Settings
from app.errors import Invalid

NAME = "RabbitMQ"
ADMINISTRATOR = "moonbase"
PORT, TLS_PORT, API_PORT = 5672, 5671, 15672
API_PORTS = {"https": 15671, "http": API_PORT}
SCHEMES = {"amqp": PORT, "amqps": TLS_PORT}
LIMITS = Limits(memory_bytes=512 * 1024**2, cpus=2.0, pids=400)
"""115 MB when it has nothing to do (measured); above 205 MB publishers wait, by its settings. Its
start is work for two cores."""
HOME = "/var/lib/rabbitmq"
START_SECONDS = 90.0
"""It answers after 4 to 6 s on two idle cores (measured), 29 s on busy ones."""
_SALT_BYTES = 4


class RabbitMq(NoExchange, Hosted):
    """Instances are virtual hosts; users have no tags and permissions in their own only.

    An administrator's server is known by its management API, `https://user:password@host:15671`.
    Sites reach it at the same host, by TLS if the API has it, unless the URL names another place:
    `?amqp=amqps://broker.example.com:5671`.
    """

    kind = ServiceKind.RABBITMQ
    content: Content | None = None
    versions = ("3.10",)

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(Embedded(engine, settings))

    def start(self, server: Server) -> None:
        """Bring it up and wait for its management API and its door for clients."""
        if not server.is_embedded:
            _amqp(_foreign(server))  # said now rather than at the first instance
            self._hosts(server).check()
            return

        def answers(address: str) -> bool:
            try:
                return VirtualHosts(_own_api(server, address)).is_open(PORT)
            except Invalid:  # it has not read yet who its administrator is
                return False

        self._embedded.start(server, _program(server), answers, alias=_alias(server))

    def _program(self, server: Server) -> Program:
        return _program(server)

    def provision(self, server: Server, order: Order) -> Facts:
        """Make the virtual host with its limits, and the user that may use it and no other."""
        self._hosts(server).make(order)
        if server.is_embedded:
            scheme, host, port = "amqp", _alias(server), PORT
        else:
            scheme, host, port = _amqp(_foreign(server))
        return {
            "key": order.key,
            "scheme": scheme,
            "host": host,
            "port": str(port),
            "user": order.key,
            "password": order.password,
            "vhost": order.key,
        }

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Messages that wait, their bytes, and open connections, as of five seconds ago."""
        return self._hosts(server).usage(facts["key"])

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Messages by queue, as of five seconds ago."""
        return Contents(self._hosts(server).messages(facts["key"]))

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """Raises `Invalid`: messages on their way are not backed up."""
        raise Invalid("A message broker is not backed up: its messages are on their way.")

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Raises `Invalid`: messages on their way are not backed up."""
        raise Invalid("A message broker is not backed up, so nothing can be restored into it.")

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Remove user and virtual host with all messages, and end their connections."""
        self._hosts(server).remove(key)

    def _hosts(self, server: Server) -> VirtualHosts:
        if server.is_embedded:
            return VirtualHosts(_own_api(server, self._embedded.address(server)))
        return VirtualHosts(JsonApi(_foreign(server), NAME))


def _program(server: Server) -> Program:
    return Program(
        name=NAME,
        recipe=f"rabbitmq-{server.version}",
        user="999:999",
        limits=LIMITS,
        data=HOME,
        files={"definitions.json": _definitions(server)},
        start_seconds=START_SECONDS,
    )


def _definitions(server: Server) -> str:
    """What the server reads at each start: its one administrator, by the hash of the password
    (four bytes of salt, then SHA-256 of salt and password, as RabbitMQ keeps it)."""
    salt = hashlib.sha256(server.key.encode()).digest()[:_SALT_BYTES]
    digest = hashlib.sha256(salt + server.secret.encode()).digest()
    administrator = {
        "name": ADMINISTRATOR,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"],
        "limits": {},
    }
    return json.dumps({"users": [administrator], "vhosts": [], "permissions": []})


def _alias(server: Server) -> str:
    # Without dots: a name that ends in a number is taken for an address by some clients.
    return f"rabbitmq-{server.version.replace('.', '-')}"


def _own_api(server: Server, host: str) -> JsonApi:
    return JsonApi(Address("http", host, API_PORT, ADMINISTRATOR, server.secret), NAME)


def _foreign(server: Server) -> Address:
    return read_address(server.secret, API_PORTS, "RabbitMQ's management API")


def _amqp(address: Address) -> tuple[str, str, int]:
    """Scheme, host and port for clients of a server that is known by its management API."""
    scheme = "amqps" if address.scheme == "https" else "amqp"
    given = address.options.get("amqp", "")
    if not given:
        return scheme, address.host, SCHEMES[scheme]
    try:
        parts = urlsplit(given)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise Invalid("What follows ?amqp= in RabbitMQ's address cannot be read.") from None
    if scheme not in SCHEMES or not host:
        raise Invalid("What follows ?amqp= must look like amqps://host:5671.")
    return scheme, host, port or SCHEMES[scheme]
