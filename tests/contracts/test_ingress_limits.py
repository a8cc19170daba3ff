"""The documented limits of a request, kept by the middleware in a real Traefik (fractions of them).

Containers that misbehave are raw sockets here: one that no packet reaches, one that accepts and
takes nothing, one that takes slowly, one that answers before it was asked to the end.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pytest

from app.adapters.ingress import RequestLimits, Route, Upstream, traefik
from app.adapters.ingress.door import open_closed_door
from app.processes.ingress_proxy import find_traefik
from tests.contracts.ingress_fixtures import (
    EarlyAnswer,
    EarlySilence,
    FeedServer,
    HeadFirst,
    IngressStack,
    SiteServer,
    SlowTaker,
    serving,
    wait_until,
)

LIMITS = RequestLimits(
    connect_seconds=0.4, send_seconds=0.8, connect_and_send_seconds=1, read_seconds=0.8
)
PIECE = b"x" * 65536
MANY = SlowTaker.size // len(PIECE)


class Seen(NamedTuple):
    """What a visitor saw of one answer, and the seconds until its end."""

    status: int
    head: bytes
    body: bytes
    seconds: float


@pytest.fixture(scope="module")
def site() -> Iterator[SiteServer]:
    server = SiteServer("A", "127.0.0.2")
    yield server
    server.stop()


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


@pytest.fixture
def black_hole() -> Iterator[Upstream]:
    """A container that no packet reaches: it neither accepts nor refuses."""
    with open_closed_door(("127.0.0.5", 0), 0) as hole:
        yield Upstream("127.0.0.5", hole.getsockname()[1])


@pytest.fixture
def deaf() -> Iterator[Upstream]:
    """A container that accepts (its kernel does) and takes nothing."""
    with socket.create_server(("127.0.0.6", 0)) as listening:
        yield Upstream("127.0.0.6", listening.getsockname()[1])


def publish(
    feed: FeedServer, *upstreams: Upstream | SiteServer, limits: RequestLimits = LIMITS
) -> None:
    """Serve `x.test` by these containers."""
    told = tuple(Upstream(one.host, one.port) if isinstance(one, SiteServer) else one
                 for one in upstreams)  # fmt: skip
    feed.wait_loaded(feed.publish([Route("x", ("x.test",), told, limits=limits)]))


def visit(
    node: IngressStack, line: str, *headers: str, pieces: Sequence[bytes] = (), pause: float = 0
) -> Seen:
    """One request, sent as `pieces` while the answer is read; to the end of the connection."""
    started = time.monotonic()
    with socket.create_connection(node.address, 10) as visitor:
        head = "\r\n".join((line, "Host: x.test", "Connection: close", *headers, "", ""))

        def send() -> None:
            with contextlib.suppress(OSError):  # the ingress may answer before it has all
                visitor.sendall(head.encode())
                for piece in pieces:
                    visitor.sendall(piece)
                    time.sleep(pause)

        sender = threading.Thread(target=send)
        sender.start()
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while more := visitor.recv(65536):
                got += more
        seconds = time.monotonic() - started
        with contextlib.suppress(OSError):
            visitor.shutdown(socket.SHUT_RDWR)
        sender.join(10)
    top, _, body = got.partition(b"\r\n\r\n")
    return Seen(int(top.split(b" ")[1]) if top else 0, top, body, seconds)


def post(node: IngressStack, pieces: Sequence[bytes], pause: float = 0) -> Seen:
    length = f"Content-Length: {sum(map(len, pieces))}"
    return visit(node, "POST / HTTP/1.1", length, pieces=pieces, pause=pause)


NOT_RESPONDING = (502, b"Application not responding")
TIMED_OUT = (504, b"Gateway timeout")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_container_that_cannot_be_reached_is_502(
    node: IngressStack, feed: FeedServer, black_hole: Upstream, method: str
) -> None:
    publish(feed, black_hole)
    seen = visit(node, f"{method} / HTTP/1.1", "Content-Length: 1", pieces=[b"x"])
    assert (seen.status, seen.body) == NOT_RESPONDING
    assert 0.35 < seen.seconds < 1
    assert b"text/plain" in seen.head


def test_a_container_that_refuses_is_502(node: IngressStack, feed: FeedServer) -> None:
    publish(feed, Upstream("127.0.0.7", 9))
    seen = visit(node, "GET / HTTP/1.1")
    assert (seen.status, seen.body) == NOT_RESPONDING


def test_a_container_that_takes_nothing_of_the_body_is_502(
    node: IngressStack, feed: FeedServer, deaf: Upstream
) -> None:
    publish(feed, deaf)
    seen = post(node, [PIECE] * MANY)
    assert (seen.status, seen.body) == NOT_RESPONDING
    assert 0.75 < seen.seconds < 3


def test_connecting_and_sending_share_one_limit(
    node: IngressStack, feed: FeedServer, black_hole: Upstream, deaf: Upstream
) -> None:
    limits = RequestLimits(connect_seconds=0.8, send_seconds=5, connect_and_send_seconds=1.7)
    publish(feed, black_hole, deaf, limits=limits)
    for _ in range(2):  # the black hole comes first for one of them
        seen = post(node, [PIECE] * MANY)
        assert (seen.status, seen.body) == NOT_RESPONDING
        assert 1.6 < seen.seconds < 3


@pytest.mark.parametrize("chunked", [False, True])
def test_a_slow_visitor_may_take_longer_than_every_limit(
    node: IngressStack, feed: FeedServer, site: SiteServer, chunked: bool
) -> None:
    publish(feed, site)
    if chunked:
        pieces = [b"3\r\nabc\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"]
        told = "Transfer-Encoding: chunked"
        seen = visit(node, "POST / HTTP/1.1", told, pieces=pieces, pause=1.2)
    else:
        seen = post(node, [b"abc", b"abc"], pause=1.2)
    assert (seen.status, seen.body) == (200, b"A 6")
    assert seen.seconds > 1.2


def test_a_container_that_keeps_taking_may_be_slow(node: IngressStack, feed: FeedServer) -> None:
    with serving(SlowTaker) as target:
        publish(feed, target)
        seen = post(node, [PIECE] * MANY)
    assert (seen.status, seen.body) == (200, b"slow")
    assert seen.seconds > LIMITS.connect_and_send_seconds


def test_an_answer_may_come_before_the_end_of_the_body(
    node: IngressStack, feed: FeedServer
) -> None:
    with serving(EarlyAnswer) as target:
        publish(feed, target)
        seen = visit(node, "POST / HTTP/1.1", "Content-Length: 999999", pieces=[b"abc"])
    assert (seen.status, seen.body) == (200, b"early.")


def test_a_small_body_nobody_waited_for_does_not_cut_the_answer(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site)
    request = b"POST /sse HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1\r\n\r\nx"

    def lasts(_: int) -> bool:
        with socket.create_connection(node.address, 5) as visitor:
            visitor.sendall(request)
            got = b""
            while b"data: A 1" not in got and (more := visitor.recv(65536)):
                got += more
            return b"data: A 1" in got

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(lasts, range(300)))


def test_an_early_answer_may_not_fall_silent_either(node: IngressStack, feed: FeedServer) -> None:
    with serving(EarlySilence) as target:
        publish(feed, target)
        told = "Content-Length: 999999"
        seen = visit(node, "POST / HTTP/1.1", told, pieces=[b"abc", b"def"], pause=0.4)
    assert (seen.status, seen.body) == (200, b"ea")
    assert 0.75 < seen.seconds < 2


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_silence_before_the_answer_is_504(
    node: IngressStack, feed: FeedServer, deaf: Upstream, body: bytes
) -> None:
    publish(feed, deaf)
    seen = visit(node, "GET / HTTP/1.1", f"Content-Length: {len(body)}", pieces=[body])
    assert (seen.status, seen.body) == TIMED_OUT
    assert 0.75 < seen.seconds < 2


@pytest.mark.parametrize("length", ["told", "untold"])
@pytest.mark.parametrize("kind", ["text/plain", "text/event-stream"])
@pytest.mark.parametrize("containers", [1, 2])
def test_silence_within_the_answer_cuts_it(
    node: IngressStack, feed: FeedServer, site: SiteServer, length: str, kind: str, containers: int
) -> None:
    publish(feed, *repeat(site, containers))
    ask = f"GET /pause?type={kind}&length={length}&seconds="
    cut = visit(node, f"{ask}3 HTTP/1.1")
    assert cut.status == 200 and b"first" in cut.body
    assert b"other" not in cut.body and b"0\r\n\r\n" not in cut.body, "it looks complete"
    assert 0.75 < cut.seconds < 2
    whole = visit(node, f"{ask}0.4 HTTP/1.1")
    assert b"first" in whole.body and b"other" in whole.body
    assert length == "told" or whole.body.endswith(b"0\r\n\r\n")


def test_steady_events_outlive_the_limit_and_arrive_at_once(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site)
    delays: list[float] = []
    with socket.create_connection(node.address, 5) as visitor:
        visitor.sendall(b"GET /sse HTTP/1.1\r\nHost: x.test\r\n\r\n")
        while len(delays) < 20:
            got = visitor.recv(65536)
            assert got, "cut"
            sent = re.findall(rb"data: A \d+ ([\d.]+)", got)
            delays.extend(time.monotonic() - float(moment) for moment in sent)
    print(f"median delay {sorted(delays)[10] * 1000:.1f} ms, longest {max(delays) * 1000:.1f} ms")
    assert sorted(delays)[10] < 0.05


def test_the_head_of_a_stream_does_not_wait_for_its_first_event(
    node: IngressStack, feed: FeedServer
) -> None:
    with serving(HeadFirst) as target:
        publish(feed, target)
        with socket.create_connection(node.address, 5) as visitor:
            visitor.sendall(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            head = visitor.recv(4096)
    assert b"200 OK" in head and b"first" not in head


def test_a_silent_websocket_lives(node: IngressStack, feed: FeedServer, site: SiteServer) -> None:
    publish(feed, site)
    with socket.create_connection(node.address, 5) as talk:
        talk.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        assert b"101 Switching" in talk.recv(4096)
        time.sleep(2.5 * LIMITS.read_seconds)
        talk.sendall(b"\x81\x82\x00\x00\x00\x00hi")
        assert b"A hi" in talk.recv(4096)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_limit_of_bodies_is_exact(
    node: IngressStack, feed: FeedServer, site: SiteServer, method: str
) -> None:
    publish(feed, site, limits=RequestLimits(body_bytes=100_000))
    for chunked in (False, True):
        fits = node.ask("x.test", "/", method, b"x" * 100_000, chunked=chunked)
        assert (fits[0], fits[2]) == (200, b"A 100000"), chunked
        large = node.ask("x.test", "/", method, b"x" * 100_001, chunked=chunked)
        assert (large[0], large[2]) == (413, b"Request Entity Too Large"), chunked


def test_a_told_length_above_the_limit_is_refused_before_the_body_comes(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site, limits=RequestLimits())
    length = RequestLimits().body_bytes + 1
    seen = visit(node, "POST / HTTP/1.1", f"Content-Length: {length}")
    assert seen.status == 413 and seen.seconds < 2


def test_many_at_once_do_not_mix(node: IngressStack, feed: FeedServer, site: SiteServer) -> None:
    publish(feed, site, limits=RequestLimits())

    def ask(number: int) -> bool:
        answer = node.ask("x.test", "/", "POST", b"x" * number, chunked=bool(number % 2))
        return (answer[0], answer[2]) == (200, f"A {number}".encode())

    with ThreadPoolExecutor(200) as pool:
        assert all(pool.map(ask, range(1, 1001)))


def test_old_and_lasting_connections(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site)
    old = visit(node, "GET / HTTP/1.0")
    assert (old.status, old.body) == (200, b"A 0")
    lasting = HTTPConnection(*node.address, timeout=5)
    for number in range(20):
        lasting.request("POST", "/", b"x" * number, {"Host": "x.test"})
        first = lasting.sock
        assert lasting.getresponse().read() == f"A {number}".encode()
        assert lasting.sock is first
    lasting.close()


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def test_nothing_is_kept_of_answered_requests(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site, limits=RequestLimits())
    assert node.proxy is not None
    pid = node.proxy.pid

    def ask(count: int) -> None:
        connection = HTTPConnection(*node.address, timeout=10)
        for _ in range(count):
            connection.request("POST", "/", b"x" * 2000, {"Host": "x.test"})
            assert connection.getresponse().read() == b"A 2000"
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, repeat(250, 8)))
        before = resident_mb(pid)
        list(pool.map(ask, repeat(625, 8)))
    after = resident_mb(pid)
    print(f"{before:.1f} MB before, {after:.1f} MB after 5,000 requests")
    assert after - before < 20
    descriptors = Path(f"/proc/{pid}/fd")
    wait_until(lambda: len(list(descriptors.iterdir())) < 40)


def test_visitors_who_leave_early_are_no_news(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    publish(feed, site)
    for _ in range(20):
        with socket.create_connection(node.address, 5) as visitor:
            visitor.sendall(b"GET /sse HTTP/1.1\r\nHost: x.test\r\n\r\n")
            assert visitor.recv(4096)
    assert node.ask("x.test")[0] == 200
    assert not re.search("panic|limits", node.log("ingress_proxy"))


def test_traefik_does_not_start_without_the_limits(tmp_path: Path) -> None:
    arguments = traefik.static_arguments("127.0.0.1:0", "http://127.0.0.1:9/configuration")
    ended = subprocess.run(
        [find_traefik(), *arguments], cwd=tmp_path, capture_output=True, timeout=30
    )
    assert ended.returncode != 0
    assert b"moonbase/limits" in ended.stdout + ended.stderr
