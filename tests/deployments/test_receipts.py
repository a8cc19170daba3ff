"""The receipt: every lost request is counted, and a site's own answers are not losses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.deployments.receipts import Measured, Prober


@contextmanager
def ingress(*answers: tuple[int, bytes]) -> Iterator[tuple[int, threading.Event, list[str]]]:
    """Answers in turn, the last one for ever; tells when all were given, and the hosts asked."""
    left = list(answers)
    seen = threading.Event()
    hosts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["Host"])
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            if len(hosts) > len(answers):
                seen.set()

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port, seen, hosts
    finally:
        server.shutdown()
        server.server_close()


def probe(*answers: tuple[int, bytes]) -> tuple[Measured, list[str]]:
    with ingress(*answers) as (port, seen, hosts):
        prober = Prober("127.0.0.1", port, "demo.localhost")
        prober.start()
        assert seen.wait(10)
        return prober.stop(), hosts


def test_good_answers_are_timed() -> None:
    measured, hosts = probe((200, b"hello"), (200, b"hello"), (200, b"hello"))
    assert measured.sent >= 4 and (measured.failed, measured.failures) == (0, {})
    assert 0 < measured.p95_ms < 5000 and 0 < measured.longest_gap_ms < 5000
    assert set(hosts) == {"demo.localhost"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"", "502"),
        (503, b"", "503"),
        (504, b"", "504"),
        (404, b"404 page not found\n", "404 of the ingress"),
    ],
)
def test_answers_of_the_ingress_are_losses(status: int, body: bytes, kind: str) -> None:
    measured, _ = probe((200, b""), (status, body), (200, b""))
    assert (measured.failed, measured.failures) == (1, {kind: 1})


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<h1>Not here</h1>"), (500, b"oh"), (401, b"")]
)
def test_answers_of_the_site_are_not(status: int, body: bytes) -> None:
    measured, _ = probe((status, body), (200, b""))
    assert measured.failed == 0


def test_without_an_ingress_everything_is_lost() -> None:
    with ingress((200, b"")) as (port, _, _):
        pass
    prober = Prober("127.0.0.1", port, "demo.localhost")
    prober.start()
    while prober.stop().sent == 0:
        continue
    measured = prober.stop()
    assert measured.failed == measured.sent > 0
    assert set(measured.failures) == {"connection: ConnectionRefusedError"}
    assert (measured.p95_ms, measured.longest_gap_ms) == (0, 0)


def test_a_prober_that_never_began_has_an_empty_account() -> None:
    assert Prober("127.0.0.1", 9, "x").stop() == Measured(0, 0, 0, 0, {})
