"""A `FakeEngine` whose containers really answer HTTP at their addresses, so that health checks,
switches and “the old containers serve on” are tested with requests."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from app.adapters.engine import ContainerSpec, ContainerState
from app.adapters.engine.fake import FakeEngine


class ServingEngine(FakeEngine):
    """Containers listen on every port their image exposes, plus their variable `PORT`.

    A Dockerfile steers them by labels: `LABEL answer=503` sets the status, `LABEL deaf=yes` lets
    nothing listen. The body is the image's id.
    """

    def __init__(self) -> None:
        super().__init__()
        self._servers: dict[str, list[ThreadingHTTPServer]] = {}

    def start_container(self, spec: ContainerSpec) -> ContainerState:
        state = super().start_container(spec)
        image = self.inspect_image(spec.image)
        assert image is not None
        is_web = spec.address is not None  # processes beside it have no address of their own
        if state.running and is_web and "deaf" not in image.labels:
            status = int(image.labels.get("answer", "200"))
            ports = {int(spec.environment["PORT"])} if "PORT" in spec.environment else set()
            self._hang_up(spec.name)
            self._servers[spec.name] = [
                _serve(state.address or "", port, status, image.id)
                for port in ports or set(image.exposed_ports)
            ]
        return state

    def stop_container(self, name: str, grace_seconds: int) -> None:
        super().stop_container(name, grace_seconds)
        self._hang_up(name)

    def remove_container(self, name: str) -> None:
        super().remove_container(name)
        self._hang_up(name)

    def close(self) -> None:
        """End all servers."""
        for name in list(self._servers):
            self._hang_up(name)

    def _hang_up(self, name: str) -> None:
        for server in self._servers.pop(name, []):
            server.shutdown()
            server.server_close()


def _serve(address: str, port: int, status: int, body: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def ask(address: str, port: int) -> str:
    """What a container answers. Raises OSError when nothing listens."""
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
