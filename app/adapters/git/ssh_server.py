"""Git over SSH: an asyncssh server that knows keys and repositories only through `GitAccess`.
The ssh process starts it; there is no shell, no terminal, no file transfer and no forwarding."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncssh

from app.adapters.git import GitService, RepositoryStore
from app.adapters.git.commands import TIME_LIMIT, parse_ssh_command, protocol_environment
from app.adapters.git.ssh_pumps import serve_process
from app.errors import NotAllowed, PanelError, Unavailable

log = logging.getLogger(__name__)

USER = "git"
GREETING = "Hi {name}! No interactive access."  # the documented phrase (L146)
_REFUSED_COMMAND = 128  # git's own exit code for "fatal"
# Everything asyncssh can check but DSA and RSA with SHA-1.
_SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
_KEY_KINDS = (*_SIGNATURES[:6], "ssh-rsa")

Process = asyncssh.SSHServerProcess[bytes]
Changed = Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Person:
    """Whose key signed in."""

    id: int
    name: str


class GitAccess(Protocol):
    """What the panel knows: whose key this is, what they may do, who hears of a push."""

    async def find_person(self, fingerprint: str) -> Person | None:
        """Whose key has this `SHA256:…` fingerprint; None refuses it."""
        ...

    async def authorise(self, person: Person, path: str, service: GitService) -> str:
        """The key of the repository with slug `path`. Raises `NotFound` or `NotAllowed`."""
        ...

    async def pushed(self, person: Person, key: str, changed: Changed) -> list[str]:
        """Called when a push has moved branches (name → sha before and after, None for absent).
        Returns lines to show to the pusher."""
        ...


@dataclass(frozen=True)
class SshLimits:
    """Times in seconds. Tests shorten them."""

    login_timeout: float = 20.0
    time_limit: float = TIME_LIMIT
    sessions_per_person: int = 8
    connections: int = 500
    keepalive: float = 30.0


async def start_git_ssh(
    host: str,
    port: int,
    host_key_path: Path,
    access: GitAccess,
    store: RepositoryStore,
    limits: SshLimits | None = None,
) -> asyncssh.SSHAcceptor:
    """Listen and serve until the returned acceptor is closed; `port` 0 takes a free one.

    The host key (ed25519) is made at the first start. Raises `Unavailable` when the port is taken.
    """
    service = _GitSsh(access, store, limits or SshLimits())
    try:
        return await asyncssh.create_server(
            service.connect,
            host,
            port,
            server_host_keys=[str(ensure_host_key(host_key_path))],
            process_factory=service.handle,
            encoding=None,
            signature_algs=_SIGNATURES,
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            login_timeout=service.limits.login_timeout,
            keepalive_interval=service.limits.keepalive,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            line_editor=False,
            server_version="Moonbase",
        )
    except OSError as error:
        raise Unavailable(f"The address {host} port {port} cannot be listened on.") from error


def ensure_host_key(path: Path) -> Path:
    """Make the server's ed25519 key, readable by its owner alone, unless it is there."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        os.link(draft, path)  # never over a key a second process has made meanwhile
    except FileExistsError:
        log.info("another process has made the host key")
    finally:
        draft.unlink()
    return path


class _Connection(asyncssh.SSHServer):
    """One client: who it is once a key has been accepted. Forwarding is refused by default."""

    def __init__(self, service: _GitSsh) -> None:
        self._service = service
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._service.connected += 1
        if self._service.connected > self._service.limits.connections:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connected -= 1

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if username != USER or key.get_algorithm() not in _KEY_KINDS:
            return False
        fingerprint = key.get_fingerprint()
        try:
            person = await self._service.access.find_person(fingerprint)
        except Exception:  # an edge: nobody gets in, and the log says why
            log.exception("a key could not be looked up")
            return False
        # The last key asked for before success is the one whose signature is checked: asyncssh
        # goes on from here to the signature without a pause.
        if self._connection is not None:
            self._connection.set_extra_info(person=person, fingerprint=fingerprint)
        return person is not None


class _GitSsh:
    """The running server: its counters, and what happens in a session."""

    def __init__(self, access: GitAccess, store: RepositoryStore, limits: SshLimits) -> None:
        self.access = access
        self.store = store
        self.limits = limits
        self.connected = 0
        self._sessions: Counter[int] = Counter()

    def connect(self) -> _Connection:
        return _Connection(self)

    async def handle(self, process: Process) -> None:
        """One session, from its command to its exit code; every error becomes a sentence."""
        person: Person = process.get_extra_info("person")
        code = 1
        if self._sessions[person.id] >= self.limits.sessions_per_person:
            _say(process, "Too many Git sessions are open with your keys; try again shortly.")
            process.exit(code)
            return
        self._sessions[person.id] += 1
        try:
            code = await self._run(process, person)
        except PanelError as error:
            _say(process, error.sentence)
        except Exception:  # an edge: the log gets the error, the client a sentence
            log.exception("a Git session failed")
            _say(process, "Something went wrong on the server; it has been noted.")
        finally:
            self._sessions[person.id] -= 1
            if not self._sessions[person.id]:
                del self._sessions[person.id]
            process.exit(code)

    async def _run(self, process: Process, person: Person) -> int:
        if process.subsystem is not None:
            raise Unavailable("Only Git is served here.", retry=False)
        if process.command is None:
            _say(process, GREETING.format(name=_one_line(person.name)))
            return 1
        try:
            service, path = parse_ssh_command(process.command)
        except PanelError as error:
            _say(process, error.sentence)
            return _REFUSED_COMMAND
        # A connection may be older than that: `ssh` keeps one open for the next commands.
        owner = await self.access.find_person(process.get_extra_info("fingerprint"))
        if owner is None or owner.id != person.id:
            raise NotAllowed("This key was taken off the account.")
        key = await self.access.authorise(person, path, service)
        if service is GitService.UPLOAD_PACK:
            return await self._transfer(process, key, service)
        before = await asyncio.to_thread(self.store.branches, key)
        # Shielded by nothing: asyncssh does not cancel a session when its client goes, so what
        # follows a push is told even then.
        try:
            return await self._transfer(process, key, service)
        finally:
            await self._tell(process, person, key, before)

    async def _transfer(self, process: Process, key: str, service: GitService) -> int:
        command = await asyncio.to_thread(self.store.serve, key, service)
        asked = protocol_environment(process.env.get("GIT_PROTOCOL"))
        environment = {**command.environment, **asked}
        child = await asyncio.create_subprocess_exec(
            *command.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=command.directory,
            start_new_session=True,
        )
        return await serve_process(process, child, self.limits.time_limit)

    async def _tell(
        self, process: Process, person: Person, key: str, before: Mapping[str, str]
    ) -> None:
        after = await asyncio.to_thread(self.store.branches, key)
        changed = {
            name: (before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        if not changed:
            return
        try:
            lines = await self.access.pushed(person, key, changed)
        except PanelError as error:
            lines = [error.sentence]
        for line in lines:
            _say(process, f"remote: {_one_line(line)}")


def _one_line(text: str) -> str:
    """`text` without what could move the cursor of a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _say(process: Process, sentence: str) -> None:
    """A line on the client's error stream, which a person sees and git does not read."""
    try:
        process.stderr.write(f"{sentence}\n".encode())
    except (OSError, asyncssh.Error):
        log.debug("the client had gone before it was told: %s", sentence)
