"""Fetching pages step by step, with the check before every step. Real and fake share it."""

from __future__ import annotations

import ipaddress
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from app.adapters.outbound import LOOKUP_SECONDS, USUAL, Fetched, FetchLimits
from app.adapters.outbound.addresses import Network, may_connect
from app.errors import Invalid, Unavailable

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """One request: where it goes and to which of the checked addresses."""

    url: str
    is_https: bool
    host: str
    port: int
    path: str
    address: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == (443 if self.is_https else 80)
        return name if is_usual else f"{name}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What came back; `location` is empty unless the answer leads elsewhere."""

    status: int
    location: str
    body: bytes


class CheckedOutbound(ABC):
    """`fetch` for whoever can look up and exchange. `allowed` are the operator's networks."""

    def __init__(self, allowed: tuple[Network, ...] = ()) -> None:
        self._allowed = allowed

    @abstractmethod
    def lookup_addresses(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """As `Outbound` says."""

    @abstractmethod
    def exchange(self, target: Target, size: int, until: float) -> Answer:
        """One request to `target.address`, over at monotonic time `until`; at most `size` bytes
        of body. Raises `Unavailable`."""

    def fetch(self, url: str, limits: FetchLimits = USUAL) -> Fetched:
        """As `Outbound` says."""
        until = time.monotonic() + limits.seconds
        for _ in range(limits.redirects + 1):
            parts = _split(url)
            answer = self._ask(parts, limits.size, until)
            if not answer.location:
                return Fetched(url, answer.status, answer.body)
            following = urljoin(url, answer.location)
            if limits.stays and _split(following).hostname != parts.hostname:
                return Fetched(url, answer.status, answer.body)
            url = following
        raise Unavailable(f"{url} leads from one address to the next without end.", retry=False)

    def _ask(self, parts: SplitResult, size: int, until: float) -> Answer:
        """Try the host's addresses one after the other; all of them must be allowed."""
        host = parts.hostname or ""
        addresses = _literal(host) or self.lookup_addresses(host, until - time.monotonic())
        if not addresses:
            raise Unavailable(f"{host} has no address in the DNS.", retry=False)
        if not all(may_connect(address, self._allowed) for address in addresses):
            raise Invalid(f"{host} leads into a private network, where nothing is asked from here.")
        failure = Unavailable(f"{host} did not answer in time.")
        for address in addresses:
            try:
                return self.exchange(_target(parts, address), size, until)
            except Unavailable as error:
                failure = error
            if time.monotonic() > until:
                break
        raise failure


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise Invalid(f"“{url[:200]}” is not an address of a page.") from error
    if not is_usable or "@" in parts.netloc or not url.isascii() or not url.isprintable():
        raise Invalid(f"“{url[:200]}” is not an address of a page.")
    return parts


def _literal(host: str) -> tuple[str, ...]:
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return ()


def _target(parts: SplitResult, address: str) -> Target:
    path = urlunsplit(("", "", parts.path or "/", parts.query, "")).replace(" ", "%20")
    return Target(
        url=urlunsplit(parts),
        is_https=parts.scheme == "https",
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        path=path,
        address=address,
    )
