"""What `backup` and `restore` measure on: a real database and a real bucket of some size, and a
worker in a process of its own, whose time and memory are read."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

import psycopg
from flask import Flask
from psycopg.sql import SQL, Identifier

from app.adapters.engine.docker import DockerEngine
from app.adapters.services import Content, Facts, ServiceKind
from app.adapters.services.postgresql_sql import ADMINISTRATOR
from app.background import create_background_app
from app.config import Settings
from app.extensions import db
from app.installation import installation
from app.processes.programs import LEAN
from app.services.models import ServiceInstance
from app.services.operations import NewService, add_instance, begin_provisioning
from app.services.provisioning import provision
from app.services.queries import find_offer
from app.services.servers import seed_servers, server_of
from app.transactions import unit_of_work
from base_images.making import ensure
from bench.installation import PACKAGES
from bench.raw_copy import upload
from tests.engine.private_engine import PrivateEngine
from tests.panel import ALICE, Panel, build_schema, environment, settle_people, user_of

SIZES = [int(text) for text in os.environ.get("MOONBASE_BENCH_MB", "10,200,1024").split(",")]
"""Megabytes of rows, and of objects."""
PAIRS = {50: 9, 500: 5}
"""How many of a size, by the megabytes it is below: what takes half a second varies more."""
LEAST_PAIRS = 3
BAR = 1.3
MEMORY_BAR_MB = 5
MEGABYTE = 1024**2
KINDS = {Content.DATABASE: ServiceKind.POSTGRESQL, Content.MEDIA: ServiceKind.OBJECT_STORAGE}
_prefixes = itertools.count(1)


@dataclass(frozen=True)
class Done:
    """What a worker's job took."""

    seconds: float
    peak_mb: float


@dataclass
class Ground:
    """An installation on an engine of its own, without its processes."""

    app: Flask
    settings: Settings
    environ: dict[str, str]
    folder: Path

    def instance(self, content: Content, version: str = "") -> int:
        """A new, empty one; its number."""
        number = self.ask_for(KINDS[content], version)
        with self.app.app_context():
            provision(number)
        return number

    def ask_for(self, kind: ServiceKind, version: str = "") -> int:
        """One that a worker is to provision; its number."""
        with self.app.app_context(), unit_of_work():
            here = environment("test")
            server = find_offer(here.region_id, kind, version)
            assert server
            row = add_instance(here, NewService(server, f"B{next(_prefixes)}"), user_of(ALICE))
            begin_provisioning(row)
            return row.id

    def facts(self, number: int) -> Facts:
        """Of an instance, with the address at which a worker reaches its server as `host`."""
        with self.app.app_context():
            facts = dict(db.session.get_one(ServiceInstance, number).facts)
            state = installation().adapters.engine.inspect_container(self.container(number))
            assert state and state.address
            return {**facts, "host": state.address}

    def container(self, number: int) -> str:
        """The name of its server's."""
        with self.app.app_context():
            return f"moonbase-service-{db.session.get_one(ServiceInstance, number).server.uuid}"

    def administrator(self, number: int) -> Facts:
        """The same of who may make databases on its server."""
        with self.app.app_context():
            secret = server_of(db.session.get_one(ServiceInstance, number).server).secret
        own = {"user": ADMINISTRATOR, "password": secret, "database": ADMINISTRATOR}
        return {**self.facts(number), **own}

    def worker(self, job: str, number: int) -> Done:
        """Run one job in a process of its own."""
        words = [sys.executable, "-m", "bench.backup_worker", job, str(number)]
        done = subprocess.run(
            words, env={**os.environ, **self.environ}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return Done(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def ground() -> Iterator[Ground]:
    """Engine, database of the panel, people; gone afterwards."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="moonbase-bench-") as name:
        folder = Path(name)
        ensure(["static"], engine.client().api, PACKAGES)
        environ = {
            **LEAN,  # as the panel's own workers run
            "DATA_DIR": str(folder / "data"),
            "MOONBASE_DOCKER_URL": engine.socket,
            "MOONBASE_NETWORK_POOL": _quarter_of(engine.pool),
            "MOONBASE_FREE_BYTES_NEEDED": "1",
        }
        settings = replace(Settings.read(environ), is_testing=True)
        panel = Panel(settings)
        build_schema(panel)
        settle_people(panel)
        panel.close()
        (settings.data_dir / "cache").mkdir(exist_ok=True)
        cache = settings.data_dir / "cache" / "base_images"
        if not cache.exists():
            cache.symlink_to(PACKAGES)
        app = create_background_app(settings)
        with app.app_context(), unit_of_work():
            seed_servers()
        assert isinstance(_engine_of(app), DockerEngine)
        yield Ground(app, settings, environ, folder)
        with app.app_context():
            db.engine.dispose()


def _quarter_of(pool: str) -> str:
    """Of which the engine's own network for builds, at the end of the pool, is no part."""
    first, second, *_ = pool.split(".")
    return f"{first}.{second}.64.0/18"


def _engine_of(app: Flask) -> object:
    with app.app_context():
        return installation().adapters.engine


def runs_of(megabytes: int) -> int:
    """How many pairs of a size."""
    return next((count for below, count in PAIRS.items() if megabytes < below), LEAST_PAIRS)


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


# Databases ----------------------------------------------------------------------------------


def fill_database(facts: Facts, megabytes: int) -> None:
    """Rows of a kilobyte, of which about half is left when compressed."""
    with psycopg.connect(_address(facts)) as connection:
        connection.execute("CREATE TABLE page (id int PRIMARY KEY, text text)")
        for start in range(0, megabytes * 1024, 10_240):
            count = min(10_240, megabytes * 1024 - start)
            connection.execute(
                "INSERT INTO page SELECT n, (SELECT string_agg(md5(random() || ' ' || n || m), '')"
                " FROM generate_series(1, 32) m) FROM generate_series(%s::int, %s::int) n",
                [start + 1, start + count],
            )


def dump(place: Ground, number: int, path: Path) -> float:
    """Seconds of `docker exec pg_dump -Fc`: the server's own tools are in its container."""
    words = ["pg_dump", "-Fc", "--no-owner", "--no-acl", place.facts(number)["database"]]
    command = [*_beside(place, number), *words]
    with path.open("wb") as file:
        return timed(lambda: subprocess.run(command, stdout=file, check=True))


def _beside(place: Ground, number: int) -> list[str]:
    return ["docker", "--host", place.settings.docker_url, "exec", "-i", place.container(number)]


def replace_database(place: Ground, number: int, path: Path) -> float:
    """Seconds it takes by hand, so that the old database serves until the new one is complete: a
    new one beside it, `pg_restore` into that in the server's container, rename both, drop the old
    one."""
    address, key = _address(place.administrator(number)), place.facts(number)["database"]
    words = ["pg_restore", "--no-owner", f"--role={key}", f"--dbname={key}_raw"]
    command = [*_beside(place, number), *words]
    return timed(lambda: _replace(address, key, command, path))


def _replace(address: str, key: str, command: list[str], path: Path) -> None:
    names = {"name": key, "new": f"{key}_raw", "old": f"{key}_was", "owner": key}
    words = {word: Identifier(name) for word, name in names.items()}
    with psycopg.connect(address, autocommit=True) as connection:

        def ask(statement: LiteralString) -> None:
            connection.execute(SQL(statement).format(**words))

        ask("CREATE DATABASE {new} OWNER {owner} TEMPLATE template0")
        with path.open("rb") as file:
            subprocess.run(command, stdin=file, check=True)
        ask("ALTER DATABASE {name} RENAME TO {old}")
        ask("ALTER DATABASE {new} RENAME TO {name}")
        ask("DROP DATABASE {old}")


def _address(facts: Facts) -> str:
    who = f"user={facts['user']} password={facts['password']}"
    return f"host={facts['host']} port={facts['port']} dbname={facts['database']} {who}"


# Media --------------------------------------------------------------------------------------


def fill_media(facts: Facts, megabytes: int, folder: Path) -> None:
    """Objects of a megabyte that do not compress; the files stay in `folder`."""
    folder.mkdir()
    for number in range(megabytes):
        (folder / f"{number:06}.bin").write_bytes(os.urandom(MEGABYTE))
    upload(facts, folder)


def copy_raw(action: str, facts: Facts, folder: Path) -> float:
    """Seconds of a raw copy, `upload` into the bucket or `download` into a new folder."""
    words = [sys.executable, "-m", "bench.raw_copy", action, str(folder)]
    told = json.dumps(dict(facts))
    done = subprocess.run(words, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
