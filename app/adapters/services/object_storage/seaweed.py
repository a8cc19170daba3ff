"""The embedded server: SeaweedFS in a container. How it runs and how it is reached."""

from __future__ import annotations

import hashlib
import ipaddress
import re

from app.adapters.engine import Limits
from app.adapters.services import Server
from app.adapters.services.embedded import Program
from app.adapters.services.object_storage.archive import Entry
from app.adapters.services.object_storage.certificate import certificate_of
from app.adapters.services.object_storage.connections import DEFAULT_REGION, Connection

VERSION = "4"
PORT = 80
ADMINISTRATOR = "moonbase"
_USER = "999:999"
_LIMITS = Limits(memory_bytes=1024 * 1024**2, cpus=2.0, pids=512)
"""Four times what the program tries to keep to: parts of large uploads and the kernel's cache of
files come on top."""
_PART_LENGTH = 255
_NOT_KEPT = re.compile(r"[\r\n\\\x00]")


def host_of(server: Server) -> str:
    """By this name sites reach it: three parts with the region in the first, for that is how
    clients take an address apart; its own, so that two servers can be in one network."""
    return f"s3-{DEFAULT_REGION}.m{server.key.replace('-', '')[:12]}.internal"


def program_of(server: Server) -> Program:
    """How it runs. It has 60 s to answer: 3 s with little data, longer after a crash. By itself
    it stops within 18 to 30 s (measured), mostly of waiting; what it said it has is with the
    kernel by then, so it is killed after a few."""
    made = certificate_of(server.secret, host_of(server))
    return Program(
        name="Object storage",
        recipe="seaweedfs",
        user=_USER,
        limits=_LIMITS,
        data="/data",
        files={"admin.secret": server.secret, "tls.crt": made.certificate, "tls.key": made.key},
        start_seconds=60,
        stop_seconds=4,
        address=_address_of(server),
    )


def _address_of(server: Server) -> str:
    """Its own for ever, for the ingress keeps it: in the lower half of the subnet, where the
    engine gives out nothing by itself, behind the gateway."""
    subnet = ipaddress.ip_network(server.network)
    free = subnet.num_addresses // 2 - 2
    place = int.from_bytes(hashlib.sha256(server.key.encode()).digest()) % free
    return str(subnet.network_address + 2 + place)


def administration(server: Server, address: str) -> Connection:
    """How the panel reaches it, with every right."""
    endpoint = f"http://{address}:{PORT}"
    return Connection(
        endpoint, ADMINISTRATOR, server.secret, iam=endpoint, media=server.media_address
    )


def can_keep(entry: Entry) -> bool:
    """Whether it keeps this object under exactly this key. It makes `a/b` of `/a//b` and of
    `a\\b`, refuses `..`, line ends and parts beyond 255 bytes, and takes a slash at the end for a
    folder, which has no content (measured with 4.48)."""
    key = entry.key.removesuffix("/")
    if _NOT_KEPT.search(key) or (entry.size and key != entry.key):
        return False
    return all(
        part not in ("", ".", "..") and len(part.encode(errors="replace")) <= _PART_LENGTH
        for part in key.split("/")
    )
