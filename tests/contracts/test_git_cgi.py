"""Git over HTTP with the real client: `run_cgi` under a small threaded WSGI server."""

from __future__ import annotations

import base64
import gzip
import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from app.adapters.git import Author, GitService, ServeCommand
from app.adapters.git.cgi import CgiResponse, run_cgi
from app.adapters.git.commands import parse_http_request
from app.adapters.git.store import DiskRepositoryStore
from app.errors import NotFound, PanelError, Unavailable
from tests.contracts.git_client import GitClient, GitFailed
from tests.contracts.test_git_store import processes_in

KEY = "6c0d6b52-2a0b-4a55-8c71-d7d6d2b0c3aa"
LIMIT = 4 * 1024 * 1024
BIG = 16 * 1024 * 1024


@dataclass
class Site:
    """A WSGI application that serves one repository; `reader` may not push."""

    store: DiskRepositoryStore
    seen: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterator[bytes]:
        request = {name: value for name, value in environ.items() if isinstance(value, str)}
        request["PATH_INFO"] = request["PATH_INFO"].removeprefix("/demo.git")
        self.seen.append(request)
        try:
            service, _ = parse_http_request(
                request["REQUEST_METHOD"], request["PATH_INFO"], request["QUERY_STRING"]
            )
            if service is GitService.RECEIVE_PACK and self.person(request) != "alice":
                start("403 Forbidden", [("Content-Type", "text/plain")])
                return iter([b"You may only read here.\n"])
            command = self.store.serve_http(KEY, request)
            answer = run_cgi(command, environ["wsgi.input"])
        except PanelError as error:
            start(f"{error.status} Refused", [("Content-Type", "text/plain")])
            return iter([error.sentence.encode()])
        start(f"{answer.status} Git", answer.headers)
        return answer.chunks

    @staticmethod
    def person(request: dict[str, str]) -> str:
        encoded = request.get("HTTP_AUTHORIZATION", "").removeprefix("Basic ")
        return base64.b64decode(encoded).decode().partition(":")[0]


@dataclass
class Served:
    url: str
    site: Site
    folder: str
    port: int


@pytest.fixture
def store(tmp_path: Path) -> DiskRepositoryStore:
    made = DiskRepositoryStore(tmp_path / "repositories", LIMIT)
    made.create(KEY, "main")
    return made


@pytest.fixture
def served(store: DiskRepositoryStore, tmp_path: Path) -> Iterator[Served]:
    site = Site(store)
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    folder = str(tmp_path / "repositories" / KEY[:2] / f"{KEY}.git")
    yield Served(
        f"http://127.0.0.1:{server.server_port}/demo.git", site, folder, server.server_port
    )
    server.shutdown()
    thread.join(10)
    server.server_close()


def client(folder: Path, name: str = "alice") -> GitClient:
    token = base64.b64encode(f"{name}:x".encode()).decode()
    return GitClient(folder, header=f"Authorization: Basic {token}")


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.02)


def pack(folder: str) -> None:
    """As a push would have left it; otherwise each clone compresses everything anew."""
    GitClient(Path(folder)).run("repack", "-a", "-d", "-q", "--window=0")


def fill(store: DiskRepositoryStore, size: int) -> str:
    author = Author("Alice", "alice@example.com")
    return store.commit(KEY, "main", {"noise": os.urandom(size)}, "Noise", author, None)


def test_clone_push_and_fetch(served: Served, store: DiskRepositoryStore, tmp_path: Path) -> None:
    alice = client(tmp_path / "alice").start()
    one = alice.commit("One", {"a": "1"})
    alice.push(served.url)
    assert store.branches(KEY) == {"main": one}
    other = client(tmp_path / "other").clone(served.url)
    two = alice.commit("Two", {"a": "2"})
    alice.push(served.url)
    other.run("pull", "--quiet")
    assert other.head() == two
    alice.run("push", served.url, f"{one}:refs/heads/old")
    alice.run("push", served.url, ":refs/heads/old")
    assert store.branches(KEY) == {"main": two}


def test_protocol_version_two_is_spoken(served: Served, tmp_path: Path) -> None:
    alice = client(tmp_path / "alice").start()
    alice.commit("One", {"a": "1"})
    alice.push(served.url)
    alice.extra = {"GIT_TRACE_PACKET": "1"}
    assert "version 2" in alice.run("ls-remote", served.url)


def test_large_clones_arrive_whole(
    served: Served, store: DiskRepositoryStore, tmp_path: Path
) -> None:
    sha = fill(store, BIG)
    pack(served.folder)

    def clone(number: int) -> str:
        other = client(tmp_path / f"clone{number}").clone(served.url, "--bare")
        other.run("fsck", "--full", "--strict")
        return other.head()

    with ThreadPoolExecutor(2) as people:
        assert list(people.map(clone, range(4))) == [sha] * 4
    wait_until(lambda: processes_in(served.folder) == [])


@pytest.mark.parametrize("buffer", ["1m", "500m"])
def test_a_push_in_chunks_or_with_a_length(
    served: Served, store: DiskRepositoryStore, tmp_path: Path, buffer: str
) -> None:
    """Above http.postBuffer git sends the pack in chunks, without CONTENT_LENGTH."""
    alice = client(tmp_path / "alice").start()
    sha = alice.commit("Noise", {"noise": os.urandom(3_000_000)})
    alice.run("-c", f"http.postBuffer={buffer}", "push", served.url, "HEAD:main")
    assert store.resolve(KEY, "main") == sha
    packs = [r for r in served.site.seen if r["PATH_INFO"] == "/git-receive-pack"]
    assert ("HTTP_TRANSFER_ENCODING" in packs[-1]) == (buffer == "1m")
    alice.run("fsck", "--full", "--strict")


@pytest.mark.parametrize("buffer", ["1m", "500m"])
def test_a_push_over_the_limit_is_told_and_changes_nothing(
    served: Served, store: DiskRepositoryStore, tmp_path: Path, buffer: str
) -> None:
    alice = client(tmp_path / "alice").start()
    alice.commit("Noise", {"noise": os.urandom(12_000_000)})
    before = store.size(KEY)
    for _ in range(3):
        with pytest.raises(GitFailed, match="exceeds maximum allowed size"):
            alice.run("-c", f"http.postBuffer={buffer}", "push", served.url, "HEAD:main")
    assert store.branches(KEY) == {}
    wait_until(lambda: processes_in(served.folder) == [])
    assert store.size(KEY) - before < 100_000


def test_a_raised_limit_counts_at_once(
    store: DiskRepositoryStore, served: Served, tmp_path: Path
) -> None:
    served.site.store = DiskRepositoryStore(tmp_path / "repositories", 20 * LIMIT)
    alice = client(tmp_path / "alice").start()
    sha = alice.commit("Noise", {"noise": os.urandom(LIMIT + 1_000_000)})
    alice.push(served.url)
    assert store.resolve(KEY, "main") == sha


def test_a_reader_may_clone_but_not_push(
    served: Served, store: DiskRepositoryStore, tmp_path: Path
) -> None:
    sha = fill(store, 1000)
    bob = client(tmp_path / "bob", "bob").clone(served.url)
    bob.commit("Mine", {"a": "1"})
    with pytest.raises(GitFailed, match="403"):
        bob.push(served.url)
    assert store.branches(KEY) == {"main": sha}


def test_an_aborted_clone_leaves_no_process(
    served: Served, store: DiskRepositoryStore, tmp_path: Path
) -> None:
    fill(store, BIG // 3)
    request = (
        b"POST /demo.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: %d\r\n\r\n"
    )
    sha = store.branches(KEY)["main"]
    body = f"0032want {sha}\n00000009done\n".encode()
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(request % len(body) + body)
        assert connection.recv(100).startswith(b"HTTP/1")
        assert processes_in(served.folder) != []
    wait_until(lambda: processes_in(served.folder) == [])


def test_a_body_that_stops_halfway_leaves_no_process(
    served: Served, store: DiskRepositoryStore
) -> None:
    token = base64.b64encode(b"alice:x")
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(
            b"POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Basic " + token + b"\r\n"
            b"Content-Type: application/x-git-receive-pack-request\r\n"
            b"Content-Length: 5000\r\n\r\n00"
        )
        wait_until(lambda: processes_in(served.folder) != [])
    wait_until(lambda: processes_in(served.folder) == [])
    assert store.branches(KEY) == {}


def test_a_compressed_body_goes_on_untouched(store: DiskRepositoryStore) -> None:
    sha = fill(store, 1000)
    body = gzip.compress(f"0032want {sha}\n00000009done\n".encode())
    answer = call(
        store,
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/git-upload-pack",
            "CONTENT_TYPE": "application/x-git-upload-pack-request",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": "gzip",
        },
        body + b"what follows belongs to the next request",
    )
    assert answer.status == 200
    assert b"PACK" in b"".join(answer.chunks)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/HEAD", ""),
        ("GET", "/config", ""),
        ("GET", "/objects/info/packs", ""),
        ("GET", "/info/refs", ""),
        ("GET", "/info/refs", "service=git-upload-archive"),
        ("GET", "/info/refs", "service=git-upload-pack&service=git-receive-pack"),
        ("GET", "/../other.git/info/refs", "service=git-upload-pack"),
        ("GET", "/git-receive-pack", ""),
        ("POST", "/git-upload-archive", ""),
        ("POST", "git-receive-pack", ""),
        ("POST", "/info/refs", "service=git-receive-pack"),
    ],
)
def test_nothing_but_the_smart_protocol(
    store: DiskRepositoryStore, method: str, path: str, query: str
) -> None:
    request = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    with pytest.raises(NotFound):
        store.serve_http(KEY, request)


def test_both_directions_at_once_do_not_stop_each_other(tmp_path: Path) -> None:
    script = r"printf 'Status: 201 Made\r\nX-A: b\r\n\r\n'; exec cat"
    sent = os.urandom(5_000_000)
    answer = run_cgi(shell(tmp_path, script), io.BytesIO(sent))
    assert (answer.status, answer.headers) == (201, [("X-A", "b")])
    assert b"".join(answer.chunks) == sent


def test_the_time_limit_breaks_the_stream_off(tmp_path: Path) -> None:
    script = r"printf 'A: b\r\n\r\nhalf'; sleep 60"
    answer = run_cgi(shell(tmp_path, script), io.BytesIO(), time_limit=0.3)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        list(answer.chunks)
    assert time.monotonic() - started < 10
    wait_until(lambda: processes_in(str(tmp_path)) == [])


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    command = ServeCommand(("git-nonexistent",), {"PATH": "/nonexistent"}, str(tmp_path))
    with pytest.raises(Unavailable):
        run_cgi(command, io.BytesIO())


def test_no_answer_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    for script in ("exit 1", "echo junk", "head -c 200000 /dev/zero | tr '\\0' x; sleep 60"):
        with pytest.raises(Unavailable):
            run_cgi(shell(tmp_path, script), io.BytesIO())
    wait_until(lambda: processes_in(str(tmp_path)) == [])


def test_closing_ends_children_that_will_not_go(tmp_path: Path) -> None:
    script = r"printf 'A: b\r\n\r\n'; (trap '' TERM; sleep 60; sleep 60) & wait"
    answer = run_cgi(shell(tmp_path, script), io.BytesIO())
    assert processes_in(str(tmp_path)) != []
    close = getattr(answer.chunks, "close")  # noqa: B009 — as a WSGI server does
    close()
    wait_until(lambda: processes_in(str(tmp_path)) == [])


def shell(folder: Path, script: str) -> ServeCommand:
    environment = {"PATH": os.environ["PATH"], "HTTP_TRANSFER_ENCODING": "chunked"}
    return ServeCommand(("/bin/sh", "-c", script), environment, str(folder))


def call(store: DiskRepositoryStore, request: dict[str, str], body: bytes) -> CgiResponse:
    return run_cgi(store.serve_http(KEY, request), io.BytesIO(body))
