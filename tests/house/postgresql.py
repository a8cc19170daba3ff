"""A real PostgreSQL of our own: temporary data directory, loopback only, ended with the run."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
OWNER = "postgres"
"""PostgreSQL refuses to run as root."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[int]:
    """The port of a server that trusts loopback."""
    if os.geteuid() != 0 or not (PROGRAMS / "postgres").exists():
        pytest.skip("needs root and Debian's postgresql-15")
    # Not pytest's own directory: each run closes that for everybody but root.
    with tempfile.TemporaryDirectory(prefix="moonbase-postgresql-") as folder:
        shutil.chown(folder, OWNER, OWNER)
        yield from _serve(Path(folder))


def _serve(home: Path) -> Iterator[int]:
    data = home / "data"
    as_owner = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups"]
    initialise = [str(PROGRAMS / "initdb"), "-D", str(data), "-A", "trust", "-U", OWNER, "-N"]
    subprocess.run([*as_owner, *initialise], check=True, capture_output=True, cwd=home)
    port = _free_port()
    options = ["-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    options += ["-c", "fsync=off"]
    log = (home / "log").open("wb")
    command = [*as_owner, str(PROGRAMS / "postgres"), "-D", str(data), *options]
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=data)
    try:
        _wait_until_ready(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


@pytest.fixture
def postgresql_url(postgresql_server: int) -> Iterator[str]:
    """An empty database of its own on it, as SQLAlchemy spells it."""
    name = f"panel_{secrets.token_hex(4)}"
    admin = f"postgresql://{OWNER}@127.0.0.1:{postgresql_server}/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"postgresql+psycopg://{OWNER}@127.0.0.1:{postgresql_server}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(f"postgresql://{OWNER}@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
