"""A small Internet on loopback: a name server and a web server that say what a test told them."""

from __future__ import annotations

import http.server
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

NAME_SERVER_TTL = 5


@dataclass
class Page:
    """What the web server answers; `drip` seconds pass before each byte of the body."""

    status: int = 200
    body: bytes = b""
    location: str = ""
    drip: float = 0


class NameServer:
    """Answers over UDP and TCP. `records` maps (name, type) to texts as in a zone file; answers
    longer than 512 bytes are cut over UDP, so that a resolver has to come back over TCP."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.is_silent = False
        self.is_failing = False
        server = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, connection = self.request
                answer = server.answer(data, is_short=True)
                if answer:
                    connection.sendto(answer, self.client_address)

        class Stream(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                size = struct.unpack("!H", self.request.recv(2))[0]
                answer = server.answer(self.request.recv(size), is_short=False)
                self.request.sendall(struct.pack("!H", len(answer)) + answer)

        self._streams = socketserver.ThreadingTCPServer((host, 0), Stream)
        self.port = self._streams.server_address[1]
        self._datagrams = socketserver.ThreadingUDPServer((host, self.port), Datagram)
        self.address = f"{host}:{self.port}"
        for one in (self._streams, self._datagrams):
            one.daemon_threads = True
            threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()

    def set(self, name: str, kind: str, *values: str) -> None:
        self.records[(name, kind)] = list(values)

    def answer(self, data: bytes, is_short: bool) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.is_silent:
            return b""
        reply = dns.message.make_response(query)
        if self.is_failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply.to_wire()
        if not any(known == name for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for owner, type_ in self._chain(name, kind):
            values = self.records[(owner, type_)]
            absolute = dns.name.from_text(owner)
            reply.answer.append(
                dns.rrset.from_text_list(absolute, NAME_SERVER_TTL, "IN", type_, values)
            )
        if is_short and len(reply.to_wire()) > 512:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
        return reply.to_wire()

    def _chain(self, name: str, kind: str) -> list[tuple[str, str]]:
        if (name, kind) in self.records:
            return [(name, kind)]
        if (name, "CNAME") in self.records:
            following = self.records[(name, "CNAME")][0].rstrip(".")
            return [(name, "CNAME"), *self._chain(following, kind)]
        return []

    def stop(self) -> None:
        for one in (self._streams, self._datagrams):
            one.shutdown()
            one.server_close()


@dataclass
class PageServer:
    """Answers by host and path. `asked` are the pairs it was asked for, Host header as it came."""

    host: str = "127.0.0.1"
    port: int = 0
    pages: dict[tuple[str, str], Page] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers["Host"]
                pages.asked.append((host, self.path))
                page = pages.pages.get((host.partition(":")[0], self.path), Page(404))
                self.send_response(page.status)
                if page.location:
                    self.send_header("Location", page.location)
                self.end_headers()
                self._send(page)

            def _send(self, page: Page) -> None:
                try:
                    if not page.drip:
                        self.wfile.write(page.body)
                    for byte in page.body if page.drip else b"":
                        self.wfile.write(bytes([byte]))
                        time.sleep(page.drip)
                except OSError:
                    pass  # whoever asked has had enough

            def log_message(self, *parts: Any) -> None:
                """Nothing: what was asked is in `asked`."""

        self._server = http.server.ThreadingHTTPServer((self.host, self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def dead_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
