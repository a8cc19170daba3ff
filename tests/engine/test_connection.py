"""Connecting to an engine: in which version of its API it is spoken to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from app.adapters.docker_api import DockerConnection
from app.errors import Unavailable
from tests.engine.private_engine import PrivateEngine


@contextmanager
def listening(socket: Path, header: str | None, asked: list[str]) -> Iterator[str]:
    """Something that answers on a socket file as an engine does; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"ApiVersion": "1.41"}'
            self.send_response(200)
            if header:
                self.send_header("Api-Version", header)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "socket"

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    with socketserver.UnixStreamServer(str(socket), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"unix://{socket}"
        server.shutdown()


def test_an_engine_says_which_version_it_speaks_without_starting_programs(tmp_path: Path) -> None:
    """For `/version` it starts two."""
    asked: list[str] = []
    with listening(tmp_path / "engine.sock", "1.52", asked) as address:
        assert DockerConnection(address).api().api_version == "1.52"
    assert asked == ["/_ping"]


def test_one_that_does_not_say_is_asked(tmp_path: Path) -> None:
    asked: list[str] = []
    with listening(tmp_path / "engine.sock", None, asked) as address:
        assert DockerConnection(address).api().api_version == "1.41"
    assert asked == ["/_ping", "/version"]


def test_the_version_is_the_engine_s_own(private_engine: PrivateEngine) -> None:
    api = DockerConnection(private_engine.socket).api()
    assert api.api_version == api.version()["ApiVersion"]


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        DockerConnection(f"unix://{tmp_path}/engine.sock").api()
