"""A double of a search server, for no package registry has a real one.

It plays what the backend asks, after the documentation of OpenSearch's security plugin and of
Elasticsearch's: users, roles with index patterns, `_cat/indices`, and so much of indices that a
site's user can be seen to be kept to its prefix. It proves that the backend asks the right things
in the right order; that a real server keeps tenants apart by them it cannot prove.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

ADMIN = ("admin", "p/w:@ü")
PLUGIN = "_plugins/_security/api"
Answer = tuple[int, Any]


@dataclass
class SearchServer:
    """A context manager. `flavour` is "opensearch", "elasticsearch" or "" for one without any
    security; `asked` are the questions of the administrator, as `METHOD path`."""

    flavour: str
    distribution: str = ""
    users: dict[str, str] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)
    """What each role reaches; a user has the role of the same name."""
    indices: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails_with: int = 0

    def __post_init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> SearchServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=0.02)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def answer(self, method: str, path: str, body: Any, login: tuple[str, str]) -> Answer:
        """Status and body for one question; `path` is unquoted, without slash and query."""
        if self.fails_with:
            return self.fails_with, {"error": "made to fail"}
        if self.flavour and login != ADMIN and self.users.get(login[0]) != login[1]:
            return 401, {"error": "Unauthorized"}
        is_admin = not self.flavour or login == ADMIN
        if is_admin:
            self.asked.append(f"{method} {path}")
        if not path:
            return 200, {"version": {"number": "2.4.0", "distribution": self._distribution()}}
        if path.startswith("_cat/indices/") and is_admin:
            return 200, self._rows(path.removeprefix("_cat/indices/"))
        if path.startswith("_"):
            return self._guard(method, path, body) if is_admin else (403, {"error": "Forbidden"})
        return self._index(method, path, body, None if is_admin else login[0])

    def _distribution(self) -> str:
        return self.distribution or self.flavour

    def _rows(self, pattern: str) -> list[dict[str, str | None]]:
        return [
            {
                "index": name,
                "docs.count": str(len(rows)),
                # A closed or new index has no size yet.
                "store.size": str(len(json.dumps(rows))) if rows else None,
            }
            for name, rows in self.indices.items()
            if fnmatch.fnmatch(name, pattern)
        ]

    def _guard(self, method: str, path: str, body: Any) -> Answer:
        *places, name = path.split("/")
        place = "/".join(places)
        opensearch = {f"{PLUGIN}/internalusers": self.users, f"{PLUGIN}/roles": self.patterns}
        opensearch[f"{PLUGIN}/rolesmapping"] = {}
        elasticsearch = {"_security/user": self.users, "_security/role": self.patterns}
        known = {"opensearch": opensearch, "elasticsearch": elasticsearch}.get(self.flavour, {})
        whoami = {"opensearch": f"{PLUGIN}/account", "elasticsearch": "_security/_authenticate"}
        if path == whoami.get(self.flavour):
            return 200, {"user_name": ADMIN[0]}
        if place not in known:
            return 400, {"error": f"no handler found for uri [/{path}] and method [{method}]"}
        if method == "DELETE":
            return (200, {}) if known[place].pop(name, None) is not None else (404, {})
        granted = (body.get("index_permissions") or body.get("indices") or [{}])[0]
        pattern = (granted.get("index_patterns") or granted.get("names") or [""])[0]
        known[place][name] = body.get("password") or pattern
        return 201, {}

    def _index(self, method: str, path: str, body: Any, user: str | None) -> Answer:
        name, _, rest = path.partition("/")
        names = name.split(",")
        if user and not all(fnmatch.fnmatch(one, self.patterns[user]) for one in names):
            return 403, {"error": {"type": "security_exception", "reason": "no permissions"}}
        if method == "PUT":
            self.indices[name] = []
            return 200, {}
        if method == "DELETE":
            for one in names:
                self.indices.pop(one, None)
            return 200, {}
        if name not in self.indices:
            return 404, {"error": {"type": "index_not_found_exception"}}
        if rest == "_doc":
            self.indices[name].append(body)
        return 200, {"hits": self.indices[name]}


def _handler(server: SearchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            said = self.headers.get("Authorization", "").removeprefix("Basic ")
            user, _, password = base64.b64decode(said).decode().partition(":")
            path = unquote(urlsplit(self.path).path.lstrip("/"))
            status, answer = server.answer(self.command, path, body, (user, password))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 — http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
