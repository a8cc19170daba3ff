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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psycopg
from botocore.config import Config
from flask import Flask

from app.adapters.engine.docker import DockerEngine
from app.adapters.services import Content, Facts, ServiceKind
from app.background import create_background_app
from app.config import Settings
from app.extensions import db
from app.installation import installation
from app.processes.programs import LEAN
from app.services.models import ServiceInstance
from app.services.operations import NewService, add_instance, begin_provisioning
from app.services.provisioning import provision
from app.services.queries import find_offer
from app.services.servers import seed_servers
from app.transactions import unit_of_work
from base_images.making import ensure
from bench.installation import PACKAGES
from tests.engine.private_engine import PrivateEngine
from tests.panel import ALICE, Panel, build_schema, environment, settle_people, user_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SIZES = [int(text) for text in os.environ.get("MOONBASE_BENCH_MB", "10,200,1024").split(",")]
"""Megabytes of rows, and of objects."""
BAR = 1.3
MEMORY_BAR_MB = 5
MEGABYTE = 1024**2
THREADS = 10
"""As many requests at once as the usual client of S3 makes for a folder."""
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
            row = db.session.get_one(ServiceInstance, number)
            facts, key = dict(row.facts), row.server.uuid
            state = installation().adapters.engine.inspect_container(f"moonbase-service-{key}")
            assert state and state.address
            return {**facts, "host": state.address}

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


def empty_database(facts: Facts) -> None:
    """What `fill_database` or a restore has left."""
    with psycopg.connect(_address(facts)) as connection:
        connection.execute("DROP TABLE IF EXISTS page")


def dump(facts: Facts, path: Path) -> None:
    """`pg_dump -Fc`, as anybody would."""
    words = ["pg_dump", "-Fc", "--no-owner", "--no-acl", f"--file={path}", _address(facts)]
    subprocess.run(words, check=True)


def load(facts: Facts, path: Path) -> None:
    """`pg_restore` into an empty database."""
    words = ["pg_restore", "--no-owner", "--no-acl", f"--dbname={_address(facts)}", str(path)]
    subprocess.run(words, check=True)


def _address(facts: Facts) -> str:
    who = f"user={facts['user']} password={facts['password']}"
    return f"host={facts['host']} port={facts['port']} dbname={facts['database']} {who}"


# Media --------------------------------------------------------------------------------------


def _client(facts: Facts) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=f"http://{facts['host']}:{facts['port']}",
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name=facts["region"],
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=THREADS),
    )


def fill_media(facts: Facts, megabytes: int, folder: Path) -> None:
    """Objects of a megabyte that do not compress; the files stay in `folder`."""
    folder.mkdir()
    for number in range(megabytes):
        (folder / f"{number:06}.bin").write_bytes(os.urandom(MEGABYTE))
    upload(facts, folder)


def upload(facts: Facts, folder: Path) -> None:
    """A raw copy of a folder into the bucket."""
    client, bucket = _client(facts), facts["bucket"]

    def put(path: Path) -> None:
        client.upload_file(str(path), bucket, path.name)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, sorted(folder.iterdir())))


def download(facts: Facts, folder: Path) -> None:
    """A raw copy of the bucket into a folder."""
    client, bucket = _client(facts), facts["bucket"]
    folder.mkdir()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]

    def get(key: str) -> None:
        client.download_file(bucket, key, str(folder / key))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(get, keys))
