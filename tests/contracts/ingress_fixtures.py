"""An ingress node as real processes, and the small servers around it. Also used by the flow tests.

`IngressStack` starts the agent and Traefik on free ports for any feed URL; `FeedServer` plays the
panel; `SiteServer` plays a container. All on loopback; nothing of the machine is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from app.adapters.ingress import Media, Route, Upstream, traefik
from tests.load import Load

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "token-of-the-node"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: Callable[[], object], seconds: float = 10) -> float:
    """Ask `what` until it is true; returns the seconds that took, or fails the test."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if what():
            return time.monotonic() - started
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


class ServerThread(ABC):
    """An aiohttp application in a thread; can go away and come back on the same port."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, 0
        self.start()

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """What the server answers."""

    def start(self) -> None:
        """Open the port: any free one at first, the same one after `stop`."""
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._open())
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(5)

    async def _open(self) -> None:
        application = web.Application(client_max_size=1 << 30)
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def stop(self) -> None:
        """Close the port and all connections."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class SiteServer(ServerThread):
    """One container of a site. `requests` counts what reached it, by method and path."""

    def __init__(self, name: str, host: str = "127.0.0.1") -> None:
        self.name = name
        self.requests: list[str] = []
        super().__init__(host)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sse", self._stream),
            web.post("/sse", self._stream),
            web.get("/ws", self._talk),
            web.get("/slow", self._wait),
            web.get("/pause", self._pause),
            web.get("/headers", self._headers),
            web.route("*", "/{path:.*}", self._answer),
        ]

    async def _answer(self, request: web.Request) -> web.Response:
        size = len(await request.read())
        self.requests.append(f"{request.method} {request.path}")
        return web.Response(text=f"{self.name} {size}")

    async def _headers(self, request: web.Request) -> web.Response:
        return web.json_response([[name, value] for name, value in request.headers.items()])

    async def _wait(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path}")
        await asyncio.sleep(float(request.query["seconds"]))
        return web.Response(text=self.name)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            for number in range(600):
                event = f"data: {self.name} {number} {time.monotonic()}\n\n"
                await response.write(event.encode())
                await asyncio.sleep(0.1)
        return response

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        """Two pieces of five bytes with a pause between them; the query says how they are sent."""
        response = web.StreamResponse(headers={"Content-Type": request.query["type"]})
        if request.query["length"] == "told":
            response.content_length = 10
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            await response.write(b"first")
            await asyncio.sleep(float(request.query["seconds"]))
            await response.write(b"other")
        return response

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        async for message in socket_:
            if message.type == WSMsgType.TEXT:
                await socket_.send_str(f"{self.name} {message.data}")
        return socket_


class SlowTaker(socketserver.BaseRequestHandler):
    """Takes a body a megabyte at a time, with a pause of 0.05 s after each."""

    size = 32 << 20  # more than the kernels of both sides keep

    def handle(self) -> None:
        taken, wanted = 0, self.size
        while taken < wanted:
            until = min(wanted, taken + (1 << 20))
            while taken < until and (more := self.request.recv(65536)):
                taken += len(more)
            time.sleep(0.05)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")


class EarlyAnswer(socketserver.BaseRequestHandler):
    """Answers before the body has come, and goes on talking while it comes."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nea")
        time.sleep(0.4)
        self.request.sendall(b"rl")
        time.sleep(0.4)
        self.request.sendall(b"y.")


class EarlySilence(socketserver.BaseRequestHandler):
    """Begins its answer before the body has come, and says no more while it comes."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nea")
        while self.request.recv(65536):
            pass


class HeadFirst(socketserver.BaseRequestHandler):
    """Begins a stream of events long before the first one."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        time.sleep(0.6)
        self.request.sendall(b"5\r\nfirst\r\n0\r\n\r\n")


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[Upstream]:
    """A container of threads with `handler`."""
    with socketserver.ThreadingTCPServer(("127.0.0.8", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Upstream("127.0.0.8", server.server_address[1])
        server.shutdown()


class FeedServer(ServerThread):
    """The panel's side of the feed, as the agent sees it. Survives `stop` with all it knows."""

    def __init__(self) -> None:
        self.epoch, self.version = "epoch-1", 0
        self.probe_host = "0123456789abcdef.ingress.invalid"
        self.reports: list[dict[str, object]] = []
        self.refused = 0
        self._document: dict[str, object] = {}
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/feed"

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/feed", self._feed), web.post("/feed/loaded", self._loaded)]

    def publish(
        self, routes: Sequence[Route], version: int | None = None, media: Sequence[Media] = ()
    ) -> int:
        """Offer `routes` as the next version; returns its number."""
        number = version or self.version + 1
        self._document = traefik.render(routes, number, self.probe_host, media)
        self.version = number
        return number

    def wait_loaded(self, version: int, seconds: float = 10) -> float:
        """Wait for the agent's report of `version`; returns the seconds that took."""
        wanted = {"node": "node-1", "epoch": self.epoch, "version": version}
        return wait_until(lambda: wanted in self.reports, seconds)

    def _is_known(self, request: web.Request) -> bool:
        known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.refused += not known
        return known

    async def _feed(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return web.Response(status=401)
        for _ in range(500):
            known = (request.query["epoch"], int(request.query["after"]))
            if self.version and known != (self.epoch, self.version):
                feed = {"epoch": self.epoch, "version": self.version, "document": self._document}
                return web.json_response(feed)
            await asyncio.sleep(0.02)
        return web.Response(status=204)

    async def _loaded(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return web.Response(status=401)
        self.reports.append(await request.json())
        return web.Response(status=204)


class IngressStack:
    """One ingress node: the agent and Traefik as real processes on free ports."""

    def __init__(
        self, feed_url: str, folder: Path, token: str = TOKEN, node: str = "node-1", **more: str
    ) -> None:
        self.folder = folder
        self.port, self.agent_port = free_port(), free_port()
        self.address = ("127.0.0.1", self.port)
        self.state_file = folder / "state" / "feed"
        token_file = folder / "token"
        token_file.write_text(token)
        self._environment = {
            "PATH": os.environ["PATH"],
            "INGRESS_FEED_URL": feed_url,
            "INGRESS_TOKEN_FILE": str(token_file),
            "INGRESS_NODE": node,
            "INGRESS_STATE_FILE": str(self.state_file),
            "INGRESS_AGENT_PORT": str(self.agent_port),
            "INGRESS_PAGES_PORT": str(free_port()),
            "INGRESS_PROBE_URL": f"http://127.0.0.1:{self.port}/",
            "INGRESS_LISTEN": f"127.0.0.1:{self.port}",
            "INGRESS_HEARTBEAT": "0.5",
            **more,
        }
        self.agent: subprocess.Popen[bytes] | None = None
        self.proxy: subprocess.Popen[bytes] | None = None

    def start(self) -> IngressStack:
        self.start_agent()
        self.start_proxy()
        return self

    def start_agent(self) -> None:
        self.agent = self._start("ingress_agent")

    def start_proxy(self) -> None:
        self.proxy = self._start("ingress_proxy")

    def kill_agent(self) -> None:
        """SIGKILL, as a crash would."""
        _end(self.agent, signal.SIGKILL)

    def kill_proxy(self) -> None:
        _end(self.proxy, signal.SIGKILL)

    def stop(self) -> None:
        """End both; SSE streams are not waited for."""
        _end(self.proxy, signal.SIGKILL)
        _end(self.agent, signal.SIGTERM)

    def log(self, process: str = "ingress_agent") -> str:
        """All that `process` has said on its error output."""
        return (self.folder / f"{process}.log").read_text()

    def load(self, host: str, **more: Any) -> Load:
        """A load on this node's public port; `more` are fields of `Load`."""
        return Load(self.address, host, **more)

    def ask(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        chunked: bool = False,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; status, headers (lower case) and body. OSError when nobody answers."""
        connection = HTTPConnection(*self.address, timeout=20)
        try:
            told = {"Host": host, **(headers or {})}
            parts = [body] if chunked and body is not None else body
            connection.request(method, path, parts, told, encode_chunked=chunked)
            response = connection.getresponse()
            lower = {name.lower(): value for name, value in response.getheaders()}
            return response.status, lower, response.read()
        finally:
            connection.close()

    def answers(self, host: str, status: int = 200) -> bool:
        """Whether `host` answers with `status` now."""
        try:
            return self.ask(host)[0] == status
        except OSError:
            return False

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module}.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", f"app.processes.{module}"],
                cwd=ROOT,
                env=self._environment,
                stderr=output,
                stdout=output,
            )


def _end(process: subprocess.Popen[bytes] | None, number: int) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def headers_of(answer: tuple[int, dict[str, str], bytes]) -> dict[str, str]:
    """What a `SiteServer` says of the headers it got at `/headers`, lower case."""
    return {name.lower(): value for name, value in json.loads(answer[2])}
