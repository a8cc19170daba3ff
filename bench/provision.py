"""Making instances: a worker's job against the same calls by the server's usual client, in pairs.

What a worker does besides: takes the instance, looks that its server runs, notes what it made. A
Redis is a container: raw is `docker run` until it answers, ours is connecting it to a network of a
site. The first instance of a kind builds an image and starts a server, which is told and not
judged. MOONBASE_BENCH_PAIRS (15).
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import docker
import psycopg
import pymysql
import requests
from psycopg.sql import SQL, Identifier, Literal

from app.adapters.engine import NetworkSpec
from app.adapters.services import Server, ServiceKind
from app.adapters.services.redis import LIMITS
from app.extensions import db
from app.installation import installation
from app.services.models import ServiceInstance
from app.services.provisioning import provision
from app.services.servers import server_of
from app.transactions import unit_of_work
from bench.backup_ground import Ground, ground, timed
from bench.results import Result, print_table

PAIRS = int(os.environ.get("MOONBASE_BENCH_PAIRS", "15"))
SHARE = 0.5
"""Ours: what a worker does besides may take half as long as the server's own work …"""
LEAST_SECONDS = 0.1
"""… or this, where that takes a few milliseconds: nobody waits for either."""
KINDS = (
    (ServiceKind.POSTGRESQL, "15"),
    (ServiceKind.MYSQL, "10.11"),
    (ServiceKind.OBJECT_STORAGE, "4"),
    (ServiceKind.RABBITMQ, "3.10"),
    (ServiceKind.REDIS, "7.0"),
)
NETWORK = "bench-provision"


@dataclass(frozen=True)
class Reached:
    """A server that runs: where it is reached, and with what right."""

    host: str
    server: Server
    engine: docker.APIClient


def run() -> list[Result]:
    """Each kind, raw and ours in turn."""
    rows, results = [], []
    with ground() as place:
        _make_network(place)
        for kind, version in KINDS:
            first = timed(lambda kind=kind, version=version: _make(place, kind, version))
            server = _reach(place, kind, version)
            raw, ours = [], []
            for _ in range(PAIRS):
                raw.append(timed(lambda kind=kind, server=server: RAW[kind](server)))
                ours.append(_make_and_remove(place, kind, version))
            medians = statistics.median(raw), statistics.median(ours)
            rows.append(_row(kind, first, *medians))
            own, bar = medians[1] - medians[0], max(LEAST_SECONDS, SHARE * medians[0])
            results.append(Result(f"provision.{kind}_own_seconds", own, bar))
    headings = ("kind", "first s", "raw s", "worker s", "ratio", "own s")
    print_table(f"medians of {PAIRS} pairs", headings, rows)
    return results


def _row(kind: ServiceKind, first: float, raw: float, ours: float) -> list[str]:
    return [
        str(kind),
        f"{first:.1f}",
        *(f"{value:.3f}" for value in (raw, ours)),
        f"{ours / raw:.2f}",
        f"{ours - raw:.3f}",
    ]


def _make_and_remove(place: Ground, kind: ServiceKind, version: str) -> float:
    """`_make`, of which nothing is left: an environment has 20 services at most."""
    seconds, number = _make(place, kind, version)
    with place.app.app_context():
        row = db.session.get_one(ServiceInstance, number)
        server, facts, key = server_of(row.server), dict(row.facts), row.key
        db.session.rollback()
        installation().adapters.services.of(kind).deprovision(server, key, facts)
        with unit_of_work():
            db.session.delete(db.session.get_one(ServiceInstance, number))
    return seconds


def _make(place: Ground, kind: ServiceKind, version: str) -> tuple[float, int]:
    """Seconds of a worker's job for one more instance, and its number."""
    number = place.ask_for(kind, version)
    with place.app.app_context():
        began = time.perf_counter()
        provision(number)
        seconds = time.perf_counter() - began
        if kind == ServiceKind.REDIS:
            row = db.session.get_one(ServiceInstance, number)
            server, facts = server_of(row.server), dict(row.facts)
            db.session.rollback()
            backend = installation().adapters.services.of(kind)
            seconds += timed(lambda: backend.attach(server, facts, NETWORK))
    return seconds, number


def _make_network(place: Ground) -> None:
    """A site's, for Redis: beyond what the panel gives out of its pool."""
    first, second, *_ = place.environ["MOONBASE_NETWORK_POOL"].split(".")
    spec = NetworkSpec(NETWORK, f"{first}.{second}.200.0/24", {})
    with place.app.app_context():
        installation().adapters.engine.ensure_network(spec)


def _reach(place: Ground, kind: ServiceKind, version: str) -> Reached:
    with place.app.app_context():
        row = db.session.scalars(
            db.select(ServiceInstance).where(ServiceInstance.server.has(kind=kind, version=version))
        ).first()
        assert row is not None
        server = server_of(row.server)
        state = installation().adapters.engine.inspect_container(f"moonbase-service-{server.key}")
    client = docker.APIClient(base_url=place.settings.docker_url, version="auto")
    return Reached(state.address or "" if state else "", server, client)


def _postgresql(there: Reached) -> None:
    name = Identifier(f"raw{secrets.token_hex(6)}")
    login: dict[str, Any] = {
        "host": there.host,
        "user": "postgres",
        "password": there.server.secret,
        "autocommit": True,
    }
    with psycopg.connect(dbname="postgres", **login) as connection:
        words = {"password": Literal(secrets.token_urlsafe(24)), "name": name}
        for statement in (
            "CREATE ROLE {name} LOGIN PASSWORD {password} CONNECTION LIMIT 30",
            "GRANT {name} TO CURRENT_USER",
            "CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8'",
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        ):
            connection.execute(SQL(statement).format(**words))
    with psycopg.connect(dbname=name.as_string().strip('"'), **login) as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(SQL("GRANT ALL ON SCHEMA public TO {}").format(name))


def _mysql(there: Reached) -> None:
    name, password = f"raw{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    with (
        pymysql.connect(
            host=there.host, user="moonbase", password=there.server.secret, autocommit=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"GRANT ALL PRIVILEGES ON {name}.* TO '{name}'@'%'")


def _object_storage(there: Reached) -> None:
    name = f"raw{secrets.token_hex(6)}"
    words: dict[str, Any] = {
        "endpoint_url": f"http://{there.host}",
        "aws_access_key_id": "moonbase",
        "aws_secret_access_key": there.server.secret,
        "region_name": "us-east-1",
    }
    s3, iam = boto3.client("s3", **words), boto3.client("iam", **words)
    rights = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{name}/*"]}
    public = {**rights, "Action": ["s3:GetObject"], "Principal": "*"}
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=_policy(public))
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="raw", PolicyDocument=_policy(rights))
    iam.create_access_key(UserName=name)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _rabbitmq(there: Reached) -> None:
    name = f"raw{secrets.token_hex(6)}"
    with requests.Session() as session:
        session.auth = ("moonbase", there.server.secret)
        for path, body in (
            (f"vhosts/{name}", {}),
            (f"users/{name}", {"password": secrets.token_urlsafe(24), "tags": ""}),
            (f"permissions/{name}/{name}", {"configure": ".*", "write": ".*", "read": ".*"}),
        ):
            url = f"http://{there.host}:15672/api/{path}"
            session.put(url, json=body, timeout=30).raise_for_status()


def _redis(there: Reached) -> None:
    image = next(
        tag
        for image in there.engine.images()
        for tag in image["RepoTags"] or ()
        if tag.startswith("moonbase/redis")
    )
    limits = there.engine.create_host_config(network_mode=NETWORK, mem_limit=LIMITS.memory_bytes)
    words = ["/usr/bin/redis-server", "/etc/redis/redis.conf", "--requirepass", "raw"]
    made = there.engine.create_container(image, words, host_config=limits)
    there.engine.start(made)
    while True:
        asked = there.engine.exec_create(made, ["/usr/bin/redis-cli", "-e", "-a", "raw", "PING"])
        if b"PONG" in there.engine.exec_start(asked):
            break
        time.sleep(0.05)
    there.engine.remove_container(made, force=True)


RAW: dict[ServiceKind, Callable[[Reached], None]] = {
    ServiceKind.POSTGRESQL: _postgresql,
    ServiceKind.MYSQL: _mysql,
    ServiceKind.OBJECT_STORAGE: _object_storage,
    ServiceKind.RABBITMQ: _rabbitmq,
    ServiceKind.REDIS: _redis,
}
