"""The ingress with a real Traefik and a real agent: what visitors get while things change."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.ingress import Redirect, RequestLimits, Route, Upstream
from app.adapters.ingress.door import open_closed_door
from tests.contracts.ingress_fixtures import (
    FeedServer,
    IngressStack,
    SiteServer,
    headers_of,
    wait_until,
)
from tests.load import LoadGenerator

QUICK = RequestLimits(connect_seconds=0.3, connect_and_send_seconds=1, read_seconds=0.6)
SMALL = RequestLimits(body_bytes=1000)


def upstream(site: SiteServer) -> Upstream:
    return Upstream(site.host, site.port)


def route(name: str, *sites: SiteServer, limits: RequestLimits | None = None) -> Route:
    """A route `name` for host `name.test`."""
    upstreams = tuple(upstream(site) for site in sites)
    return Route(name, (f"{name}.test",), upstreams, limits=limits or RequestLimits())


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[SiteServer, SiteServer]]:
    pair = SiteServer("A", "127.0.0.2"), SiteServer("B", "127.0.0.3")
    yield pair
    for site in pair:
        site.stop()


@pytest.fixture(scope="module")
def feed() -> Iterator[FeedServer]:
    server = FeedServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def node(feed: FeedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressStack]:
    stack = IngressStack(feed.url, tmp_path_factory.mktemp("node")).start()
    yield stack
    stack.stop()


def publish(feed: FeedServer, *routes: Route) -> float:
    """Publish and wait until the node has it; seconds."""
    return feed.wait_loaded(feed.publish(routes))


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"x" * 2048)])
def test_a_switch_loses_no_request(
    node: IngressStack,
    feed: FeedServer,
    sites: tuple[SiteServer, SiteServer],
    keep_alive: bool,
    method: str,
    body: bytes,
) -> None:
    a, b = sites
    publish(feed, route("x", a))
    load = node.load("x.test", keep_alive=keep_alive, method=method, body=body)
    with LoadGenerator(load) as running:
        time.sleep(0.7)
        publish(feed, route("x", b))
        assert node.ask("x.test")[2] == b"B 0", "reported before it was effective"
        time.sleep(0.7)
        publish(feed, route("x", a))
        time.sleep(0.4)
    outcome = running.outcome
    print(f"{method} keep-alive={keep_alive}: {outcome.sent} sent, {outcome.longest_gap:.3f} s gap")
    assert not outcome.failures
    assert outcome.good == outcome.sent > 300
    assert {answer[:1] for answer in outcome.answers} == {b"A", b"B"}


def read_for(stream: socket.socket, seconds: float) -> bytes:
    """All that arrives within `seconds`; fails when the other side closes."""
    until, got = time.monotonic() + seconds, b""
    stream.settimeout(0.1)
    while time.monotonic() < until:
        try:
            more = stream.recv(65536)
        except TimeoutError:
            continue
        assert more, "the stream was closed"
        got += more
    return got


def open_stream(node: IngressStack, host: str, path: str, *headers: str) -> socket.socket:
    stream = socket.create_connection(node.address, 5)
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", "")
    stream.sendall("\r\n".join(lines).encode())
    assert b"data: A" in read_for(stream, 0.4) or path == "/ws"
    return stream


WEBSOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)
MASKED_HI = b"\x81\x82\x00\x00\x00\x00hi"


@pytest.mark.parametrize("containers", [1, 2])
def test_streams_and_slow_answers_survive_changes(
    node: IngressStack, feed: FeedServer, sites: tuple[SiteServer, SiteServer], containers: int
) -> None:
    a, b = sites
    publish(feed, route("x", *(a,) * containers))
    slow: list[tuple[int, dict[str, str], bytes]] = []
    waiting = threading.Thread(target=lambda: slow.append(node.ask("x.test", "/slow?seconds=5")))
    waiting.start()
    events = open_stream(node, "x.test", "/sse")
    talk = open_stream(node, "x.test", "/ws", *WEBSOCKET)
    for routes in (
        (route("x", *(a,) * containers), route("other", b)),
        (route("x", *(b,) * containers), route("other", b)),
    ):
        publish(feed, *routes)
        assert b"data: A" in read_for(events, 0.4)
        talk.sendall(MASKED_HI)
        assert b"A hi" in read_for(talk, 0.4)
    waiting.join(10)
    assert slow[0][0] == 200 and slow[0][2] == b"A"
    for stream in (events, talk):
        stream.close()


def test_bodies_up_to_the_limit_pass_and_larger_ones_are_refused(
    node: IngressStack, feed: FeedServer, sites: tuple[SiteServer, SiteServer]
) -> None:
    publish(feed, route("small", sites[0], limits=SMALL), route("large", sites[0]))
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for chunked in (False, True):
            for size, status in ((1000, 200), (1001, 413)):
                answer = node.ask("small.test", "/", method, b"x" * size, chunked=chunked)
                assert answer[0] == status, (method, chunked, size)
    assert node.ask("large.test", "/", "POST", b"x" * 200_000)[2] == b"A 200000"
    assert node.ask("large.test", "/", "POST", b"x" * 200_000, chunked=True)[0] == 200
    stream = socket.create_connection(node.address, 5)
    stream.sendall(b"POST /sse HTTP/1.1\r\nHost: small.test\r\nContent-Length: 1\r\n\r\nx")
    assert b"data: A 1" in read_for(stream, 0.5)
    stream.close()


def test_what_was_not_sent_yet_is_tried_on_another_container(
    node: IngressStack, feed: FeedServer
) -> None:
    alive = SiteServer("alive", "127.0.0.4")
    hole = open_closed_door(("127.0.0.5", 0), 0)  # accepts no packet, refuses none
    black = Upstream("127.0.0.5", hole.getsockname()[1])
    publish(feed, Route("pair", ("pair.test",), (black, upstream(alive)), limits=QUICK))
    try:
        for _ in range(4):
            started = time.monotonic()
            assert node.ask("pair.test")[0] == 200
            assert time.monotonic() - started < 1
            for chunked in (False, True):
                answer = node.ask("pair.test", "/", "POST", b"x" * 2048, chunked=chunked)
                assert (answer[0], answer[2]) == (200, b"alive 2048")
        assert alive.requests.count("POST /") == 8
    finally:
        alive.stop()
        hole.close()


def test_an_answer_that_takes_too_long_is_504_and_is_not_asked_again(
    node: IngressStack, feed: FeedServer, sites: tuple[SiteServer, SiteServer]
) -> None:
    publish(feed, route("late", *sites, limits=QUICK))
    for site in sites:
        site.requests.clear()
    assert node.ask("late.test", "/slow?seconds=0.2")[0] == 200
    assert node.ask("late.test", "/slow?seconds=3")[0] == 504
    assert len(sites[0].requests) + len(sites[1].requests) == 2


class ImpatientHandler(socketserver.StreamRequestHandler):
    """Closes a connection that was idle for 1.5 s just as the next request arrives on it."""

    def handle(self) -> None:
        answered = time.monotonic()
        while self.rfile.readline() and time.monotonic() - answered < 1.5:
            while self.rfile.readline() != b"\r\n":
                pass
            self.rfile.read(1)  # the body that the test sends
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            answered = time.monotonic()


def test_a_post_never_meets_a_connection_its_container_just_closed(
    node: IngressStack, feed: FeedServer
) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.6", 0), ImpatientHandler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target = Upstream("127.0.0.6", server.server_address[1])
        publish(feed, Route("impatient", ("impatient.test",), (target,)))
        for pause in (0.1, 1.7, 0):
            assert node.ask("impatient.test", "/", "POST", b"x")[0] == 200
            time.sleep(pause)
        server.shutdown()


def test_hosts_nobody_has_are_404_and_stopped_sites_503(
    node: IngressStack, feed: FeedServer, sites: tuple[SiteServer, SiteServer]
) -> None:
    publish(feed, route("x", sites[0]), Route("stopped", ("stopped.test",), ()))
    assert node.ask("unknown.test")[0] == 404
    for path, method in (("/", "GET"), ("/configuration", "GET"), ("/a", "POST"), ("/", "PATCH")):
        status, headers, page = node.ask("stopped.test", path, method, b"x" * 2048)
        assert (status, headers["retry-after"]) == (503, "30")
        assert (
            b"This site is not running" in page and b"sites" not in page and b"x.test" not in page
        )
    assert node.ask("stopped.test", method="HEAD")[0] == 503


@pytest.mark.parametrize(("status", "for_post"), [(301, 308), (302, 307)])
@pytest.mark.parametrize("target", ["new.test", "new.test:8443"])
def test_redirects_keep_path_and_query(
    node: IngressStack, feed: FeedServer, status: int, for_post: int, target: str
) -> None:
    publish(feed, Route("moved", (), (), (Redirect("old.test", target, status),)))
    for path in ("/", "/a/b%20c?x=1&y=%2F", "/?q={{.Request}}$1${1}", "/a;b?u=http://z/"):
        answer = node.ask("old.test", path)
        assert (answer[0], answer[1]["location"]) == (status, f"http://{target}{path}")
    assert node.ask("old.test", "/", "POST", b"x")[0] == for_post, "a POST stays a POST"


def test_forwarded_headers_are_ours_and_not_the_visitors(
    node: IngressStack, feed: FeedServer, sites: tuple[SiteServer, SiteServer]
) -> None:
    publish(feed, route("x", sites[0]))
    forged = {
        "X-Forwarded-Proto": "https", "X_Forwarded_Proto": "https", "X-Forwarded-For": "6.6.6.6",
        "X.Forwarded.Proto": "https", "X-Forwarded-Host": "evil.test", "X-Real-Ip": "6.6.6.6",
        "Connection": "close, X-Forwarded-Proto, X-Forwarded-For",
    }  # fmt: skip
    for headers in (forged, {}):
        seen = headers_of(node.ask("x.test", "/headers", headers=headers))
        assert (seen["host"], seen["x-forwarded-host"]) == ("x.test", "x.test")
        assert (seen["x-forwarded-proto"], seen["x-forwarded-for"]) == ("http", "127.0.0.1")
        assert not {"evil.test", "https", "6.6.6.6"} & set(seen.values())


def test_a_trusted_proxy_in_front_is_believed(
    feed: FeedServer, sites: tuple[SiteServer, SiteServer], tmp_path: Path
) -> None:
    behind = IngressStack(feed.url, tmp_path, INGRESS_TRUSTED="127.0.0.1/32").start()
    try:
        wait_until(lambda: behind.answers("nobody.test", 404))
        publish(feed, route("x", sites[0]))
        told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        seen = headers_of(behind.ask("x.test", "/headers", headers=told))
        assert seen["x-forwarded-proto"] == "https"
        assert seen["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    finally:
        behind.stop()
