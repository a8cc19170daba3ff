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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.memory import folder_in_memory
from tests.panel import Panel, build_schema, make_settings, settle_people

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
OWNER = "postgres"
"""PostgreSQL refuses to run as root."""


@dataclass(frozen=True)
class Template:
    """A database that nobody is connected to, and the data directory that belongs to it."""

    url: str
    data_dir: Path

    @property
    def database(self) -> str:
        return self.url.rpartition("/")[2]

    def copied(self, data_dir: Path, url: str) -> Panel:
        """A panel on a copy of the database."""
        shutil.copytree(self.data_dir, data_dir)
        return Panel(make_settings(data_dir, url))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[int]:
    """The port of a server that trusts loopback."""
    if os.geteuid() != 0 or not (PROGRAMS / "postgres").exists():
        pytest.skip("needs root and Debian's postgresql-15")
    # Not pytest's own directory: each run closes that for everybody but root.
    where = folder_in_memory()
    with tempfile.TemporaryDirectory(prefix="moonbase-postgresql-", dir=where) as folder:
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
    with _database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(
    postgresql_server: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """Schema and the rows every installation has: made once, the migrations take a second."""
    data_dir = tmp_path_factory.mktemp("postgresql-template") / "data"
    with _database(postgresql_server) as url:
        with closing(Panel(make_settings(data_dir, url))) as panel:
            build_schema(panel)
        yield Template(url, data_dir)


@pytest.fixture(scope="session")
def settled_postgresql_template(
    postgresql_server: int,
    postgresql_template: Template,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Template]:
    """The people of `tests.panel.PEOPLE` as well."""
    data_dir = tmp_path_factory.mktemp("postgresql-settled") / "data"
    with _database(postgresql_server, postgresql_template) as url:
        with closing(postgresql_template.copied(data_dir, url)) as panel:
            settle_people(panel)
        yield Template(url, data_dir)


@pytest.fixture
def postgresql_panel(
    postgresql_server: int, postgresql_template: Template, tmp_path: Path
) -> Iterator[Panel]:
    """A panel on a database of its own, with the rows every installation has."""
    with _copy(postgresql_server, postgresql_template, tmp_path) as panel:
        yield panel


@pytest.fixture
def settled_postgresql_panel(
    postgresql_server: int, settled_postgresql_template: Template, tmp_path: Path
) -> Iterator[Panel]:
    """`postgresql_panel` with the people of `tests.panel.PEOPLE`."""
    with _copy(postgresql_server, settled_postgresql_template, tmp_path) as panel:
        yield panel


@contextmanager
def _copy(port: int, template: Template, folder: Path) -> Iterator[Panel]:
    with (
        _database(port, template) as url,
        closing(template.copied(folder / "on-postgresql", url)) as panel,
    ):
        yield panel


@contextmanager
def _database(port: int, template: Template | None = None) -> Iterator[str]:
    """Its URL; it is gone afterwards."""
    name = f"panel_{secrets.token_hex(4)}"
    admin = f"postgresql://{OWNER}@127.0.0.1:{port}/postgres"
    # Copied as files: half the work of writing what is copied into the log.
    like = f'TEMPLATE "{template.database}" STRATEGY FILE_COPY' if template else ""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {like}')
        yield f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/{name}"
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
