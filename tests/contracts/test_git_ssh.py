"""Git over SSH with the real clients, `git` and `ssh`: Alice may push, Bob only read, Charlie's
key is known to nobody."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from app.adapters.git import Author, GitService
from app.adapters.git.commands import parse_ssh_command
from app.adapters.git.ssh_server import Person, SshLimits, ensure_host_key, start_git_ssh
from app.adapters.git.store import DiskRepositoryStore
from app.errors import Invalid, NotAllowed, NotFound
from tests.contracts.git_client import GitClient, GitFailed, make_ssh_key, ssh_command
from tests.contracts.test_git_cgi import pack, wait_until
from tests.contracts.test_git_store import processes_in

KEY = "d1a5a1f0-54a8-4c38-8f0c-0b1f6a3f7a11"
LIMIT = 4 * 1024 * 1024
BIG = 16 * 1024 * 1024


@dataclass
class FakeAccess:
    """`GitAccess` over two dictionaries; can be told to fail."""

    people: dict[str, Person] = field(default_factory=dict)
    failure: Exception | None = None
    pushes: list[tuple[str, str, dict[str, tuple[str | None, str | None]]]] = field(
        default_factory=list
    )

    async def find_person(self, fingerprint: str) -> Person | None:
        return self.people.get(fingerprint)

    async def authorise(self, person: Person, path: str, service: GitService) -> str:
        if self.failure:
            raise self.failure
        if path != "demo":
            raise NotFound("There is no such repository.")
        if service is GitService.RECEIVE_PACK and person.name != "Alice":
            raise NotAllowed("You may only read this repository.")
        return KEY

    async def pushed(
        self, person: Person, key: str, changed: Mapping[str, tuple[str | None, str | None]]
    ) -> list[str]:
        self.pushes.append((person.name, key, dict(changed)))
        return [f"{', '.join(changed)} will be\x1b[2J deployed"]


@dataclass
class Served:
    port: int
    access: FakeAccess
    store: DiskRepositoryStore
    keys: dict[str, Path]
    folder: str
    host_key: Path

    @property
    def url(self) -> str:
        return "git@127.0.0.1:demo.git"

    def client(self, folder: Path, name: str = "alice") -> GitClient:
        return GitClient(folder, key=self.keys[name], port=self.port)

    def ssh(self, *words: str, name: str = "alice", user: str = "git") -> tuple[int, str]:
        """Run `ssh`; its exit code and all it printed."""
        command = [*ssh_command(self.keys[name], self.port), *words[:-1], f"{user}@127.0.0.1"]
        done = subprocess.run(
            [*command, *([words[-1]] if words and words[-1] else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout.decode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"alice": "ed25519", "bob": "ed25519", "charlie": "ed25519"}
    kinds |= {"alice-rsa": "rsa", "alice-ecdsa": "ecdsa"}
    return {name: make_ssh_key(folder, name, kind) for name, kind in kinds.items()}


@pytest.fixture
def limits() -> SshLimits:
    return SshLimits()


@pytest.fixture
def served(tmp_path: Path, keys: dict[str, Path], limits: SshLimits) -> Iterator[Served]:
    store = DiskRepositoryStore(tmp_path / "repositories", LIMIT)
    store.create(KEY, "main")
    access = FakeAccess()
    for number, (name, path) in enumerate(sorted(keys.items())):
        person = Person(number, name.partition("-")[0].title())
        if name != "charlie":
            fingerprint = asyncssh.read_public_key(path.with_suffix(".pub")).get_fingerprint()
            access.people[fingerprint] = person
    host_key = tmp_path / "var" / "host_key"
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = start_git_ssh("127.0.0.1", 0, host_key, access, store, limits)
    acceptor = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    folder = str(tmp_path / "repositories" / KEY[:2] / f"{KEY}.git")
    yield Served(acceptor.get_port(), access, store, keys, folder, host_key)
    loop.call_soon_threadsafe(acceptor.close)
    asyncio.run_coroutine_threadsafe(acceptor.wait_closed(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def open_pipes() -> int:
    """Pipes and socket pairs this process, the server too, holds open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith(("pipe:", "socket:"))
        except OSError:  # the listing's own descriptor
            continue
    return found


def fill(served: Served, size: int) -> str:
    author = Author("Alice", "alice@example.com")
    return served.store.commit(KEY, "main", {"noise": os.urandom(size)}, "Noise", author, None)


class TestTransfers:
    def test_push_clone_and_pull(self, served: Served, tmp_path: Path) -> None:
        alice = served.client(tmp_path / "alice").start()
        one = alice.commit("One", {"a": "1"})
        said = alice.push(served.url)
        assert "remote: main will be [2J deployed" in said
        assert served.access.pushes == [("Alice", KEY, {"main": (None, one)})]
        bob = served.client(tmp_path / "bob", "bob").clone(served.url)
        two = alice.commit("Two", {"a": "2"})
        alice.push(f"ssh://git@127.0.0.1:{served.port}/demo.git")
        bob.run("pull", "--quiet")
        assert bob.head() == two
        alice.run("push", served.url, f"{one}:refs/heads/old", ":refs/heads/main")
        assert served.access.pushes[1:] == [
            ("Alice", KEY, {"main": (one, two)}),
            ("Alice", KEY, {"main": (two, None), "old": (None, one)}),
        ]

    def test_a_push_of_nothing_new_tells_nobody(self, served: Served, tmp_path: Path) -> None:
        alice = served.client(tmp_path / "alice").start()
        alice.commit("One", {"a": "1"})
        alice.push(served.url)
        alice.push(served.url)
        assert len(served.access.pushes) == 1

    def test_large_clones_arrive_whole(self, served: Served, tmp_path: Path) -> None:
        """With asyncssh's `redirect()` a quarter of such clones broke off; see ssh_pumps."""
        sha = fill(served, BIG)
        pack(served.folder)

        def clone(number: int) -> str:
            other = served.client(tmp_path / f"clone{number}").clone(served.url, "--bare")
            other.run("fsck", "--full", "--strict")
            return other.head()

        with ThreadPoolExecutor(2) as people:
            assert list(people.map(clone, range(4))) == [sha] * 4
        wait_until(lambda: processes_in(served.folder) == [])

    def test_protocol_version_two_is_spoken(self, served: Served, tmp_path: Path) -> None:
        fill(served, 10)
        alice = served.client(tmp_path / "alice")
        alice.extra = {"GIT_TRACE_PACKET": "1"}
        assert "version 2" in alice.run("ls-remote", served.url)

    def test_a_push_over_the_limit_is_told_and_changes_nothing(
        self, served: Served, tmp_path: Path
    ) -> None:
        alice = served.client(tmp_path / "alice").start()
        alice.commit("Noise", {"noise": os.urandom(12_000_000)})
        before = served.store.size(KEY)
        for _ in range(3):
            with pytest.raises(GitFailed, match="exceeds maximum allowed size"):
                alice.push(served.url)
        assert served.store.branches(KEY) == {}
        assert served.access.pushes == []
        wait_until(lambda: processes_in(served.folder) == [])
        assert served.store.size(KEY) - before < 100_000

    def test_an_aborted_clone_leaves_no_process(self, served: Served) -> None:
        fill(served, BIG // 3)
        pipes_before = open_pipes()
        command = [*ssh_command(served.keys["alice"], served.port), "git@127.0.0.1"]
        sha = served.store.branches(KEY)["main"]
        with subprocess.Popen(
            [*command, "git-upload-pack '/demo.git'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as ssh:
            assert ssh.stdin is not None
            assert ssh.stdout is not None
            ssh.stdin.write(f"0032want {sha}\n00000009done\n".encode())
            ssh.stdin.flush()
            assert len(ssh.stdout.read(100_000)) == 100_000
            assert processes_in(served.folder) != []
            ssh.kill()
        wait_until(lambda: processes_in(served.folder) == [])
        wait_until(lambda: open_pipes() <= pipes_before)

    def test_a_push_is_told_even_when_the_client_has_gone(
        self, served: Served, tmp_path: Path
    ) -> None:
        alice = served.client(tmp_path / "alice").start()
        sha = alice.commit("One", {"a": "1"})
        pack = subprocess.run(
            ["git", "pack-objects", "--stdout", "--revs", "-q"],
            input=f"{sha}\n".encode(),
            cwd=alice.folder,
            env=alice.environment(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        line = f"{'0' * 40} {sha} refs/heads/main\0report-status\n".encode()
        command = [*ssh_command(served.keys["alice"], served.port), "git@127.0.0.1"]
        with subprocess.Popen(
            [*command, "git-receive-pack '/demo.git'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as ssh:
            assert ssh.stdin is not None
            ssh.stdin.write(f"{len(line) + 4:04x}".encode() + line + b"0000" + pack)
            ssh.stdin.flush()
            wait_until(lambda: served.store.branches(KEY) == {"main": sha})
            ssh.kill()
        wait_until(lambda: served.access.pushes == [("Alice", KEY, {"main": (None, sha)})])


class TestRefusals:
    def test_greeting(self, served: Served) -> None:
        assert served.ssh("-T", "") == (1, "Hi Alice! No interactive access.\n")

    @pytest.mark.parametrize("name", ["alice", "alice-rsa", "alice-ecdsa"])
    def test_kinds_of_keys(self, served: Served, name: str) -> None:
        assert "Hi Alice!" in served.ssh("-T", "", name=name)[1]

    def test_an_unknown_key(self, served: Served, tmp_path: Path) -> None:
        code, said = served.ssh("-T", "", name="charlie")
        assert code == 255
        assert "Permission denied (publickey)" in said
        with pytest.raises(GitFailed, match="Permission denied"):
            served.client(tmp_path / "charlie", "charlie").clone(served.url)

    def test_another_user_name(self, served: Served) -> None:
        assert served.ssh("-T", "", user="root")[0] == 255

    def test_a_reader_may_not_push(self, served: Served, tmp_path: Path) -> None:
        sha = fill(served, 10)
        bob = served.client(tmp_path / "bob", "bob").clone(served.url)
        bob.commit("Mine", {"a": "1"})
        with pytest.raises(GitFailed, match="You may only read this repository"):
            bob.push(served.url)
        assert served.store.branches(KEY) == {"main": sha}

    def test_an_error_inside_is_not_shown(self, served: Served) -> None:
        served.access.failure = RuntimeError("password=hunter2")
        code, said = served.ssh("git-upload-pack 'demo.git'")
        assert code == 1
        assert "hunter2" not in said
        assert said.count("\n") == 1

    @pytest.mark.parametrize(
        ("command", "code", "sentence"),
        [
            ("git-lfs-authenticate demo.git upload", 128, "LFS"),
            ("git-upload-archive 'demo.git'", 128, "Only git clone"),
            ("id", 128, "Only git clone"),
            ("git-upload-pack '/../demo.git'", 128, "not the address"),
            ("git-upload-pack 'demo.git'; id", 128, "not the address"),
            ("git-upload-pack --strict 'demo.git'", 128, "not the address"),
            ("git-upload-pack '--strict'", 128, "not the address"),
            ("git-upload-pack 'other.git'", 1, "There is no such repository"),
        ],
    )
    def test_other_commands(self, served: Served, command: str, code: int, sentence: str) -> None:
        assert served.ssh(command)[0] == code
        assert sentence in served.ssh(command)[1]

    def test_no_terminal_no_sftp_no_forwarding(self, served: Served) -> None:
        assert "PTY allocation request failed" in served.ssh("-tt", "")[1]
        assert "uid=" not in served.ssh("-tt", "id")[1]
        assert served.ssh("-s", "sftp")[0] != 0
        code, _ = served.ssh("-W", f"127.0.0.1:{served.port}", "")
        assert code == 255

    def test_the_host_key_is_made_once_and_private(self, served: Served) -> None:
        before = served.host_key.read_bytes()
        assert stat.S_IMODE(served.host_key.stat().st_mode) == 0o600
        assert ensure_host_key(served.host_key).read_bytes() == before
        assert asyncssh.read_private_key(served.host_key).get_algorithm() == "ssh-ed25519"


class TestLimits:
    @pytest.fixture
    def limits(self) -> SshLimits:
        return SshLimits(login_timeout=0.5, time_limit=0.5, sessions_per_person=1)

    def test_who_does_not_sign_in_is_dropped(self, served: Served) -> None:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
            while connection.recv(4096):
                pass  # until the server closes; a timeout would fail the test

    def test_a_session_that_takes_too_long(self, served: Served) -> None:
        command = [*ssh_command(served.keys["alice"], served.port), "git@127.0.0.1"]
        with subprocess.Popen(
            [*command, "git-receive-pack 'demo.git'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as ssh:
            assert ssh.stderr is not None
            assert b"was ended" in ssh.stderr.read()
        assert ssh.returncode == 1
        assert processes_in(served.folder) == []

    def test_sessions_of_one_person(self, served: Served) -> None:
        command = [*ssh_command(served.keys["alice"], served.port), "git@127.0.0.1"]
        with subprocess.Popen(
            [*command, "git-receive-pack 'demo.git'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ):
            wait_until(lambda: processes_in(served.folder) != [])
            assert "Too many Git sessions" in served.ssh("-T", "")[1]
            assert "Hi Bob!" in served.ssh("-T", "", name="bob")[1]
        wait_until(lambda: "Hi Alice!" in served.ssh("-T", "")[1])


@pytest.mark.parametrize("path", ["demo.git", "/demo.git", "demo", "/demo", "/demo.git/"])
@pytest.mark.parametrize("verb", ["git-upload-pack", "git upload-pack"])
def test_commands_of_real_clients(verb: str, path: str) -> None:
    assert parse_ssh_command(f"{verb} '{path}'") == (GitService.UPLOAD_PACK, "demo")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "git",
        "git-receive-pack",
        "git-receive-pack ''",
        "git-receive-pack 'a/b.git'",
        "git-receive-pack '//demo.git'",
        "git-receive-pack '~/demo.git'",
        "git-receive-pack 'de\0mo.git'",
        "git-receive-pack 'demo.git\n'",
        "git-receive-pack 'demo.git",
        "git-receive-pack -demo.git",
        "git-receive-pack $(id).git",
        "git-receive-pack demo.git extra",
        "git --exec-path=/tmp receive-pack demo.git",
    ],
)
def test_commands_of_others(command: str) -> None:
    with pytest.raises(Invalid):
        parse_ssh_command(command)


def test_a_removed_key_opens_nothing_over_its_open_connection(served: Served) -> None:
    async def ask_twice() -> list[str]:
        said, key = list[str](), str(served.keys["bob"])
        async with asyncssh.connect(
            "127.0.0.1", served.port, username="git", client_keys=[key], known_hosts=None
        ) as connection:
            for _ in range(2):
                done = await connection.run("git-upload-pack 'demo.git'", stdin=asyncssh.DEVNULL)
                said.append(f"{done.stdout!s}{done.stderr!s}")
                served.access.people.clear()
        return said

    with ThreadPoolExecutor(1) as alone:  # a browser's test may have left a loop in this thread
        first, second = alone.submit(asyncio.run, ask_twice()).result()
    assert first.startswith("0000")
    assert second == "This key was taken off the account.\n"
