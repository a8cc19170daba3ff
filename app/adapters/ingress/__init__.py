"""What Moonbase asks of an ingress. `traefik.py` turns routes into Traefik's own configuration.

Called by the routes room (which writes the feed) and by the ingress agent (which serves it).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Upstream:
    """One container that answers for a site."""

    address: str
    port: int


@dataclass(frozen=True)
class Redirect:
    """A host that only sends people on. `status` is 301 or 302; `to_host` may carry a port."""

    host: str
    to_host: str
    status: int = 302


@dataclass(frozen=True)
class RequestLimits:
    """Documented limits of a request, in seconds and bytes (checklist, "ingress limits")."""

    connect_seconds: float = 5
    send_seconds: float = 10
    connect_and_send_seconds: float = 15
    read_seconds: float = 30
    body_bytes: int = 500 * 1024 * 1024


@dataclass(frozen=True)
class Route:
    """One environment on the ingress. `name` is unique and safe as an identifier."""

    name: str
    hosts: tuple[str, ...]
    upstreams: tuple[Upstream, ...]
    redirects: tuple[Redirect, ...] = ()
    limits: RequestLimits = field(default_factory=RequestLimits)


@dataclass(frozen=True)
class Media:
    """A bucket of public media: what is asked of `host` is an object in `bucket` at `upstream`,
    which anybody may read. Only GET and HEAD pass."""

    host: str
    bucket: str
    upstream: Upstream
    limits: RequestLimits = field(default_factory=RequestLimits)
