"""The agent's HTTP: a client in one call, Traefik's configuration, and the page of a stopped site.

The two listeners are apart because a stopped site's visitor chooses the path that reaches the
pages: nothing else may lie there.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>This site is not running</title>
<meta name="viewport" content="width=device-width"></head>
<body><h1>This site is not running</h1><p>Please try again later.</p></body></html>
"""
_BODY_TAKEN = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Message
    body: bytes


def ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float
) -> Answer:
    """One request on a connection of its own, redirects not followed; `timeout` per read, seconds.

    Raises OSError or http.client.HTTPException.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, path, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class _Handler(BaseHTTPRequestHandler):
    """No log line per request, no name of the software, connections that end when idle."""

    protocol_version = "HTTP/1.1"
    server_version = "ingress"
    sys_version = ""
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        return

    def answer(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _ConfigurationHandler(_Handler):
    server: ConfigurationServer

    def do_GET(self) -> None:
        body = self.server.body
        if self.path != "/configuration":
            self.answer(404, "text/plain", b"", {})
        elif body is None:
            self.answer(503, "text/plain", b"no feed yet", {})
        else:
            self.answer(200, "application/json", body, {})


class _PagesHandler(_Handler):
    def handle_one_request(self) -> None:
        """Answer any method and path alike, after taking a small body (or Traefik sees a reset)."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            self.close_connection = True
            length = self.headers.get("Content-Length", "0")
            if length.isdigit() and int(length) <= _BODY_TAKEN:
                self.rfile.read(int(length))
            headers = {"Retry-After": "30", "Cache-Control": "no-store", "Connection": "close"}
            self.answer(503, "text/html; charset=utf-8", _PAGE, headers)
            self.wfile.flush()
        except OSError:
            return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        return

    def server_bind(self) -> None:
        """As the base, without its reverse look-up of the machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class ConfigurationServer(_Server):
    """Serves `body`, Traefik's configuration, at `/configuration`; 503 while it is None."""

    body: bytes | None = None

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _ConfigurationHandler)


class PagesServer(_Server):
    """Tells every request that the site is not running."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _PagesHandler)
