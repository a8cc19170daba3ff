"""The real outside: a DNS resolver, and HTTP over connections to checked addresses."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.rdatatype
import dns.resolver

from app.adapters.outbound import LOOKUP_SECONDS
from app.adapters.outbound.addresses import parse_networks
from app.adapters.outbound.checked import REDIRECTS, Answer, CheckedOutbound, Target
from app.errors import Invalid, Unavailable

_DNS_PORT = 53
_SHORTEST = 0.001


class DirectOutbound(CheckedOutbound):
    """`resolver` is `address` or `address:port`, empty for the machine's own; `networks` the
    operator's list of private networks that may be asked."""

    def __init__(self, resolver: str = "", networks: str = "") -> None:
        super().__init__(parse_networks(networks))
        self._resolver_address = resolver

    def lookup_txt(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """As `Outbound` says."""
        records = self._resolve(name, dns.rdatatype.TXT, seconds)
        return tuple(b"".join(row.strings).decode(errors="replace") for row in records)

    def lookup_addresses(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """As `Outbound` says."""
        until = time.monotonic() + seconds
        found = [row.address for row in self._resolve(name, dns.rdatatype.A, seconds)]
        left = max(_SHORTEST, until - time.monotonic())
        found += [row.address for row in self._resolve(name, dns.rdatatype.AAAA, left)]
        return tuple(found)

    def lookup_cname(self, name: str, seconds: float = LOOKUP_SECONDS) -> str:
        """As `Outbound` says."""
        for row in self._resolve(name, dns.rdatatype.CNAME, seconds):
            return str(row.target).rstrip(".").lower()
        return ""

    def _resolve(self, name: str, kind: dns.rdatatype.RdataType, seconds: float) -> list[Any]:
        try:
            answer = self._resolver().resolve(
                f"{name.rstrip('.')}.",
                kind,
                lifetime=max(_SHORTEST, seconds),
                raise_on_no_answer=False,
            )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Unavailable(f"The DNS gave no answer about {name}. Try again soon.") from error
        return list(answer.rrset or ())

    def _resolver(self) -> dns.resolver.Resolver:
        """A new one each time: nothing is cached here, for people wait for their change."""
        if not self._resolver_address:
            return dns.resolver.Resolver()
        parts = urlsplit(f"//{self._resolver_address}")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [parts.hostname or ""]
        resolver.port = parts.port or _DNS_PORT
        return resolver

    def exchange(self, target: Target, size: int, until: float) -> Answer:
        """One request over a connection of its own to `target.address` and nowhere else."""
        try:
            with _connect(target, until) as connection:
                connection.sendall(_request(target))
                return _read(connection, size, until)
        except ssl.SSLCertVerificationError as error:
            sentence = f"{target.host} shows a certificate that is not valid for it."
            raise Unavailable(sentence, retry=False) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{target.host} did not answer {target.url} properly.") from error


def _connect(target: Target, until: float) -> socket.socket:
    connection = socket.create_connection((target.address, target.port), _left(until))
    if not target.is_https:
        return connection
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(connection, server_hostname=target.host)
    except (OSError, ValueError):
        connection.close()
        raise


def _request(target: Target) -> bytes:
    if any(sign in target.path + target.host for sign in "\r\n"):
        raise Invalid("That is not an address of a page.")
    return (
        f"GET {target.path} HTTP/1.1\r\nHost: {target.host_header}\r\nUser-Agent: Moonbase\r\n"
        "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _read(connection: socket.socket, size: int, until: float) -> Answer:
    response = http.client.HTTPResponse(_Patient(connection, until))  # type: ignore[arg-type]
    response.begin()
    location = response.getheader("Location") or "" if response.status in REDIRECTS else ""
    return Answer(response.status, location, b"" if location else response.read(size))


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Patient(io.RawIOBase):
    """A connection to read from until a moment, however slowly its bytes drip: a socket's own
    timeout begins anew with each of them."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._until))
        return self._connection.recv_into(buffer)
