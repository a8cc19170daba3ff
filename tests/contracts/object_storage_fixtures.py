"""Object storage for the contract tests: the embedded server on a private engine, and a double of
Amazon's with its IAM. Each is started once a run."""

from __future__ import annotations

import dataclasses
import json
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.config import Config

from app.adapters.services import Facts, Order, Server, ServiceBackend, ServiceKind
from tests.contracts.ingress_fixtures import free_port, wait_until
from tests.contracts.service_fixtures import CASES, Place, running_case
from tests.contracts.tenants import Tenants
from tests.engine.private_engine import PrivateEngine

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

MEDIA = "http://{bucket}--media.localhost:8080"
STORAGE = next(kind for kind in CASES if kind.kind == ServiceKind.OBJECT_STORAGE)


@dataclass
class Storage:
    """A backend with one server, and what tests ask of it beside the backend."""

    backend: ServiceBackend
    server: Server
    tenants: Tenants | None = None
    made: list[Facts] = field(default_factory=list)

    def order(self) -> Order:
        return Order(key="m" + secrets.token_hex(8)[:15], password=secrets.token_urlsafe(12))

    def new(self) -> Facts:
        """A new instance."""
        facts = self.backend.provision(self.server, self.order())
        self.made.append(facts)
        return facts

    def endpoint(self, facts: Facts) -> str:
        """Where the tests reach it: they stand in no site's network."""
        if self.tenants is None:
            return facts["endpoint"]
        return f"http://{facts['address']}:{facts['port']}"

    def client(self, facts: Facts) -> S3Client:
        """As the site itself has it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint(facts),
            aws_access_key_id=facts["access_key"],
            aws_secret_access_key=facts["secret_key"],
            region_name=facts["region"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        )

    def iam(self, facts: Facts) -> IAMClient:
        return boto3.client(
            "iam",
            endpoint_url=self.endpoint(facts),
            aws_access_key_id=facts["access_key"],
            aws_secret_access_key=facts["secret_key"],
            region_name=facts["region"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def container(self) -> str:
        return f"moonbase-service-{self.server.key}"


@pytest.fixture(scope="session")
def storage(
    services_place: Place,
    servers: dict[str, Server],
    private_engine: PrivateEngine,
    static_base_image: str,
) -> Iterator[Storage]:
    """The embedded server, running; the generic suite has the same one."""
    case = running_case(services_place, servers, STORAGE)
    server = dataclasses.replace(case.server, media_address=MEDIA)
    tenants = Tenants(private_engine, static_base_image)
    yield Storage(case.backend, server, tenants)
    tenants.close()


@pytest.fixture(scope="session")
def amazon(services_place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """An administrator's server with IAM: moto, which asks for rights after the first requests."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), 30)
        access_key, secret_key = _administrator(url)
        server = Server(
            key=str(uuid.uuid4()),
            kind=ServiceKind.OBJECT_STORAGE,
            version="",
            is_embedded=False,
            secret=f"http://{access_key}:{secret_key}@{urlsplit(url).netloc}/?region=eu-west-2",
            installation_id="test",
        )
        yield Storage(services_place.backends.of(server.kind), server)
    finally:
        process.kill()
        process.wait(5)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _administrator(url: str) -> tuple[str, str]:
    """A user with every right, and from then on rights are asked for."""
    iam = boto3.client(
        "iam",
        endpoint_url=url,
        aws_access_key_id="first",
        aws_secret_access_key="first",
        region_name="us-east-1",
    )
    iam.create_user(UserName="administrator")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    requests.post(f"{url}/moto-api/reset-auth", data="0", timeout=5)
    return key["AccessKeyId"], key["SecretAccessKey"]


def moved(storage: Storage, **more: str) -> Server:
    """The same server with other facts about it."""
    return dataclasses.replace(storage.server, **more)  # type: ignore[arg-type]
