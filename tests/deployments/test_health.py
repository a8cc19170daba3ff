"""The health check against small servers of every temper."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from app.deployments.health import Health, check_health, is_positive
from tests.panel import QUICK

TIMES = replace(QUICK, connect_attempt=0.1, connect_total=0.6, answer=0.3)
HOST = "demo.localhost"

Server = Callable[[Callable[[socket.socket], object]], int]


@pytest.fixture
def server() -> Iterator[Server]:
    """Starts a server that hands each connection with a request in it to a function."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: Callable[[socket.socket], object]) -> int:
        sockets.append(socket.create_server(("127.0.0.1", 0)))
        threads.append(threading.Thread(target=_accept, args=(sockets[-1], answer), daemon=True))
        threads[-1].start()
        port: int = sockets[-1].getsockname()[1]
        return port

    yield start
    for listening in sockets:
        listening.shutdown(socket.SHUT_RDWR)
    # Closed only when nobody accepts on it any more: its number is the next one's.
    for thread in threads:
        thread.join(10)
    for listening in sockets:
        listening.close()


def _accept(listening: socket.socket, answer: Callable[[socket.socket], object]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            if connection.recv(4096):
                answer(connection)


def check(port: int, has_ended: bool = False, cancelled: bool = False) -> Health:
    event = threading.Event()
    if cancelled:
        event.set()
    return check_health("127.0.0.1", port, HOST, TIMES, lambda: has_ended, event)


def saying(status: int, reason: str = "So") -> Callable[[socket.socket], object]:
    return lambda sock: sock.sendall(
        f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n".encode()
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 500])
def test_a_server_that_lives_is_healthy(server: Server, status: int) -> None:
    assert check(server(saying(status))) == Health(True, f"answered {status}", status)


@pytest.mark.parametrize("status", [501, 502, 503, 504, 599])
def test_a_server_that_says_it_is_not_well_is_not(server: Server, status: int) -> None:
    assert check(server(saying(status))) == Health(False, f"The site answered {status}.", status)


def test_the_rule_of_the_platform() -> None:
    """1xx to 4xx and 500 are positive."""
    assert all(map(is_positive, (100, 199, 200, 399, 400, 499, 500)))
    assert not any(map(is_positive, (501, 503, 599)))


def test_the_site_is_asked_for_its_own_host(server: Server) -> None:
    seen: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while not seen:
            connection, _ = listening.accept()
            with connection:
                if request := connection.recv(4096):
                    seen.append(request)
                    answer(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    assert check(listening.getsockname()[1]).is_healthy
    thread.join()
    listening.close()
    assert seen[0].startswith(b"GET / HTTP/1.1\r\n") and b"Host: demo.localhost\r\n" in seen[0]


def test_a_server_that_never_answers_is_given_up(server: Server) -> None:
    stop = threading.Event()
    port = server(lambda sock: stop.wait(5))
    started = time.monotonic()
    found = check(port)
    stop.set()
    assert found == Health(False, "It accepted a request but did not answer within 0.3 s.")
    assert time.monotonic() - started < 1.5


def test_a_server_that_drips_is_given_up_as_well(server: Server) -> None:
    """The limit is on the whole head: a byte now and then does not stretch it."""

    def drip(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(50):
            sock.sendall(b"X: y\r\n")
            time.sleep(0.05)

    assert check(server(drip)).sentence == "It accepted a request but did not answer within 0.3 s."


def test_a_server_that_hangs_up_does_not_speak_http(server: Server) -> None:
    found = check(server(lambda sock: None))
    assert not found.is_healthy and "does not speak HTTP" in found.sentence


@pytest.mark.parametrize("words", [b"220 mail ESMTP\r\n", b"\x16\x03\x01\x02", b"\n" * 99])
def test_another_protocol_is_said_to_be_one(server: Server, words: bytes) -> None:
    port = server(lambda sock: sock.sendall(words))
    assert check(port).sentence.startswith(f"Port {port} does not speak HTTP")


def test_nobody_listens() -> None:
    port = free_port()
    started = time.monotonic()
    assert check(port) == Health(False, f"Nothing listened on port {port} for 0.6 s.")
    assert 0.5 < time.monotonic() - started < 2


def test_a_container_that_ended_is_not_waited_for() -> None:
    started = time.monotonic()
    assert (
        check(free_port(), has_ended=True).sentence == "The container stopped before it answered."
    )
    assert time.monotonic() - started < 0.4


def test_cancelling_ends_the_wait() -> None:
    started = time.monotonic()
    assert not check(free_port(), cancelled=True).is_healthy
    assert time.monotonic() - started < 0.3


def test_a_server_that_listens_late_is_waited_for() -> None:
    port = free_port()
    late: list[socket.socket] = []

    def listen() -> None:
        late.append(socket.create_server(("127.0.0.1", port)))
        _accept(late[0], saying(200))

    timer = threading.Timer(0.3, listen)
    timer.daemon = True
    timer.start()
    assert check(port).is_healthy
    late[0].close()
