"""Virtual hosts of a RabbitMQ by its management API: made, limited, measured, removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.adapters.services import Order, Usage
from app.adapters.services.json_api import JsonApi
from app.errors import Unavailable

QUEUES = 256
"""Celery makes one a queue, and two more for each worker."""
CHANNELS = 640
"""Ten for each of sixty connections; Celery uses two or three."""
QUEUE_BYTES = 256 * 1024**2
"""Of messages in one queue, a quarter of a million tasks of Celery. What comes beyond is refused,
for a queue that nobody empties would fill the disk, and then the server stops for all tenants."""
POLICY = "moonbase"


class VirtualHosts:
    """Those of one server. An instance is a virtual host and a user of the same name, its key."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def check(self) -> None:
        """Raises `Unavailable` or `Invalid` unless an administrator is answered."""
        if self._api.ask("GET", "api/overview") is None:
            raise Unavailable("There is no management API of RabbitMQ at this address.")

    def is_open(self, port: int) -> bool:
        """Whether clients are let in at this port. Raises `Unavailable` when they are not yet,
        `Invalid` while the server does not know its administrator."""
        return self._api.ask("GET", f"api/health/checks/port-listener/{port}") is not None

    def make(self, order: Order) -> None:
        """Make it and its user, or complete them. Limits come before the permission that lets
        anybody in."""
        for path, body in _parts(order):
            self._api.ask("PUT", f"api/{path}", body, unless=())

    def usage(self, key: str) -> Usage:
        """Messages and their bytes, and open connections. The server counts them every five
        seconds. Raises `Unavailable` when there is no such virtual host."""
        queues = self._queues(key)
        connections = self._api.ask("GET", f"api/vhosts/{key}/connections?columns=name")
        return Usage(
            bytes=sum(_number(row, "message_bytes") for row in queues),
            connections=len(connections or ()),
            objects=sum(_number(row, "messages") for row in queues),
        )

    def messages(self, key: str) -> dict[str, int]:
        """How many each queue holds. Raises `Unavailable` when there is no such virtual host."""
        return {row["name"]: _number(row, "messages") for row in self._queues(key)}

    def remove(self, key: str) -> None:
        """Remove the user and the virtual host with all queues, and end their connections;
        silent when they are gone."""
        for path in (f"users/{key}", f"vhosts/{key}"):
            self._api.ask("DELETE", f"api/{path}")

    def _queues(self, key: str) -> list[dict[str, Any]]:
        columns = "columns=name,messages,message_bytes"
        found: list[dict[str, Any]] | None = self._api.ask("GET", f"api/queues/{key}?{columns}")
        if found is None:
            raise Unavailable("The RabbitMQ has no virtual host of this instance any more.")
        return found


def _parts(order: Order) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What to put where, in this order."""
    key = order.key
    yield f"vhosts/{key}", {"tracing": False}
    yield f"vhost-limits/{key}/max-connections", {"value": order.connections}
    yield f"vhost-limits/{key}/max-queues", {"value": QUEUES}
    limit = {"max-length-bytes": QUEUE_BYTES, "overflow": "reject-publish"}
    yield f"policies/{key}/{POLICY}", {"pattern": ".*", "apply-to": "queues", "definition": limit}
    # No tags: such a user may not even ask the management API.
    yield f"users/{key}", {"password": order.password, "tags": ""}
    yield f"user-limits/{key}/max-connections", {"value": order.connections}
    yield f"user-limits/{key}/max-channels", {"value": CHANNELS}
    yield f"permissions/{key}/{key}", {"configure": ".*", "write": ".*", "read": ".*"}


def _number(row: Mapping[str, Any], name: str) -> int:
    # A queue that was made a moment ago has not been counted yet.
    return int(row.get(name) or 0)
