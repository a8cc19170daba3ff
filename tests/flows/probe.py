"""What somebody with a shell in a site's container would try. Runs inside it, by `python -c`.

Its question is JSON in `QUESTION`; it prints what each attempt got, by name: how many got through.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import resource
import select
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

from tests.contracts.amqp_client import AmqpConnection

ASKED: dict[str, Any] = json.loads(os.environ.get("QUESTION", "{}"))
# As many at once as there may be files open, with some to spare.
WAVE = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 50)
REASONS: list[str] = []


def open_ports(host: str, ports: Sequence[int], seconds: float = 1.0) -> list[int]:
    """Those of the ports that take a connection within so many seconds."""
    found: list[int] = []
    for start in range(0, len(ports), WAVE):
        found += _wave(host, ports[start : start + WAVE], seconds)
    return found


def _wave(host: str, ports: Sequence[int], seconds: float) -> list[int]:
    found: list[int] = []
    waiting: dict[int, tuple[socket.socket, int]] = {}
    poll = select.epoll()
    for port in ports:
        one = socket.socket()
        one.setblocking(False)
        code = one.connect_ex((host, port))
        if code == errno.EINPROGRESS:
            waiting[one.fileno()] = (one, port)
            poll.register(one.fileno(), select.EPOLLOUT)
        else:
            found += [port] if code == 0 else []
            one.close()
    until = time.monotonic() + seconds
    while waiting and time.monotonic() < until:
        for number, _ in poll.poll(0.1):
            one, port = waiting.pop(number)
            poll.unregister(number)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(port)
            one.close()
    for one, _ in waiting.values():
        one.close()
    return found


def scan(targets: Sequence[tuple[str, list[int]]]) -> list[str]:
    """`host:port` of all that answers."""
    return sorted(
        f"{host}:{port}" for host, ports in targets for port in open_ports(host, _range(ports))
    )


def _range(ports: list[int]) -> list[int]:
    return list(range(ports[0], ports[1] + 1)) if len(ports) == 2 else ports


def passes(act: Callable[[], object]) -> str:
    """What the attempt got, empty when it was refused."""
    try:
        return str(act())
    except Exception as error:  # noqa: BLE001  # however it is refused
        REASONS.append(f"{type(error).__name__}: {error}"[:160])
        return ""


def database(mine: dict[str, Any], statement: str = "SELECT 1", **other: str) -> object:
    import psycopg

    names = {"host": "host", "port": "port", "dbname": "database", "user": "user"}
    told: dict[str, Any] = {name: mine[key] for name, key in names.items()}
    told |= {"password": mine["password"], "connect_timeout": 5, **other}
    with psycopg.connect(**told) as connection:
        return connection.execute(statement.encode()).fetchall()


def storage(mine: dict[str, str]) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=mine["endpoint"],
        aws_access_key_id=mine["access_key"],
        aws_secret_access_key=mine["secret_key"],
        region_name=mine["region"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def asked(url: str, user: str = "", password: str = "") -> int:
    told = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        url, headers={"Authorization": f"Basic {told}"} if user else {}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return int(answer.status)


def queue(mine: dict[str, str], vhost: str) -> str:
    url = f"amqp://{mine['user']}:{mine['password']}@{mine['host']}:{mine['port']}/{vhost}"
    with AmqpConnection(url):
        return "open"


def greet(host: str, port: int) -> bytes:
    """What a server over TLS says to somebody without a certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), 5) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        return connection.recv(100) or _none()


def attempts() -> Iterator[tuple[str, Callable[[], object]]]:
    yield from data_attempts(ASKED["mine"], ASKED["theirs"])
    yield from broker_attempts(ASKED["mine"]["rabbitmq"], ASKED["theirs"]["rabbitmq"]["vhost"])
    yield "redis name", lambda: socket.gethostbyname(ASKED["theirs"]["redis"]["host"])
    store = ASKED["mine"]["object_storage"]["host"]
    yield "storage commands", lambda: greet(store, 18333)
    sockets = ("/var/run/docker.sock", "/run/docker.sock")
    yield "docker socket", lambda: [one for one in sockets if os.path.exists(one)] or _none()  # noqa: PTH110


Attempts = Iterator[tuple[str, Callable[[], object]]]


def data_attempts(mine: dict[str, Any], theirs: dict[str, Any]) -> Attempts:
    pg, other_pg = mine["postgresql"], theirs["postgresql"]
    bucket = theirs["object_storage"]["bucket"]
    s3 = storage(mine["object_storage"])
    yield "database", lambda: database(pg, dbname=other_pg["database"])
    yield "role", lambda: database(pg, user=other_pg["user"], dbname=other_pg["database"])
    yield "set role", lambda: database(pg, f'SET ROLE "{other_pg["user"]}"')
    for name in ("postgres", "template1"):
        yield name, partial(database, pg, dbname=name)
    yield "superuser", lambda: database(pg, user="postgres", password="")
    yield "program", lambda: database(pg, "COPY (SELECT 1) TO PROGRAM 'id'")
    yield "server file", lambda: database(pg, "SELECT pg_read_file('/etc/passwd')")
    yield "list bucket", lambda: s3.list_objects_v2(Bucket=bucket)
    yield "write bucket", lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"x")
    yield "delete object", lambda: s3.delete_object(Bucket=bucket, Key="index.html")
    yield "bucket policy", lambda: s3.put_bucket_policy(Bucket=bucket, Policy='{"Statement": []}')
    yield (
        "list buckets",
        lambda: (
            [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"] == bucket]
            or _none()
        ),
    )
    yield "anonymous list", lambda: asked(f"{mine['object_storage']['endpoint']}/{bucket}")


def broker_attempts(rabbit: dict[str, Any], vhost: str) -> Attempts:
    management = f"http://{rabbit['host']}:15672/api"
    login = (rabbit["user"], rabbit["password"])
    yield "vhost", lambda: queue(rabbit, vhost)
    yield "root vhost", lambda: queue(rabbit, "%2F")
    yield "guest", lambda: asked(f"{management}/overview", "guest", "guest")
    for path in ("vhosts", "users", "definitions", f"queues/{vhost}"):
        yield f"management {path.partition('/')[0]}", partial(asked, f"{management}/{path}", *login)


def _none() -> NoReturn:
    raise ConnectionRefusedError("nothing")


def reach_own(mine: dict[str, Any]) -> None:
    """What is refused below is refused by somebody: with its own names, all of it works."""
    database(mine["postgresql"])
    storage(mine["object_storage"]).list_objects_v2(Bucket=mine["object_storage"]["bucket"])
    queue(mine["rabbitmq"], mine["rabbitmq"]["vhost"])


def main() -> None:
    reach_own(ASKED["mine"])
    found = {name: passes(act) for name, act in attempts()}
    scans = {name: scan(targets) for name, targets in ASKED["scans"].items()}
    print(json.dumps({"attempts": found, "scans": scans, "reasons": REASONS}))


if __name__ == "__main__":
    main()
