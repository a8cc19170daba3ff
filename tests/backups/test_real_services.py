"""The road of a backup with real servers: taken, proved, restored elsewhere, opened by the
standard tools."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyrage

from app.adapters.services import Facts, Server, ServiceBackend, ServiceKind
from app.backups import proving
from app.backups.models import Backup, Restoration, WorkStatus
from app.backups.restoring import request_restoration
from app.extensions import db, now
from app.seals import present_seal
from app.services.models import ServiceInstance, ServiceServer, ServiceState
from tests.backups import data
from tests.contracts.object_storage_fixtures import Storage
from tests.contracts.service_fixtures import Kind, Place, ServiceCase, running_case
from tests.contracts.service_guests import MariaDBGuest, PostgreSQLGuest
from tests.panel import ALICE, Panel, environment, user_of


class Known:
    """A backend that is told of servers as the fixtures started them, whatever network a panel in
    a test would give them."""

    def __init__(self, backend: ServiceBackend, servers: Mapping[str, Server]) -> None:
        self._backend, self._servers = backend, servers

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        if name in ("variables", "kind", "content", "versions", "take_in", "hand_out"):
            return found
        return lambda server, *rest, **more: found(self._servers[server.key], *rest, **more)


def know(panel: Panel, backend: ServiceBackend, *servers: Server) -> None:
    """Rows for these servers, and the backend in place of the fake one."""
    panel.services._made[backend.kind] = Known(  # type: ignore[assignment]
        backend, {server.key: server for server in servers}
    )
    with panel.work():
        for server in servers:
            row = db.session.scalars(
                db.select(ServiceServer).where(
                    ServiceServer.kind == server.kind,
                    ServiceServer.version.in_((server.version, "1")),  # as the fake has it
                )
            ).one()
            row.uuid, row.version = server.key, server.version
            row.secret = server.secret  # type: ignore[assignment]  # sealed on its way in


def settle(panel: Panel, server: Server, facts: Facts, where: str = "test") -> str:
    """An instance row for what was provisioned; its uuid."""
    with panel.work():
        row = ServiceInstance(
            environment_id=environment(where).id,
            server_id=db.session.scalars(
                db.select(ServiceServer.id).where(ServiceServer.uuid == server.key)
            ).one(),
            kind=server.kind,
            key=facts["key"],
            state=ServiceState.ATTACHED,
            provisioned_at=now(),
        )
        row.facts = facts
        db.session.add(row)
        db.session.flush()
        return row.uuid


def round_trip(panel: Panel, target: str, opened: Path) -> None:
    """Back up what is in test, prove it, restore it into `target`; the plain file to `opened`."""
    backup = data.take(panel)
    with panel.reading():
        row = data.backup(backup)
        assert row.status == WorkStatus.SUCCEEDED, row.sentence
        proving.prove(row.id)
    with panel.work():
        row = data.backup(backup)
        assert row.proved_at, row.proof_sentence
        number = request_restoration(row.parts[0], data.instance(target), user_of(ALICE)).id
        name = row.parts[0].uuid
    data.run_jobs(panel)
    with panel.reading():
        restoration = db.session.get_one(Restoration, number)
        assert restoration.status == WorkStatus.SUCCEEDED, restoration.sentence
        count = db.session.scalar(db.select(db.func.count(Backup.id)))
        assert count == 2, "with the safety backup"
        [path] = [item for item in data.stored(panel) if item.stem == name]
        keys = list(present_seal().identities())
        with path.open("rb") as source, opened.open("wb") as plain:
            pyrage.decrypt_io(source, plain, keys)


def databases(
    panel: Panel, place: Place, servers: dict[str, Server], *kinds: Kind
) -> tuple[ServiceCase, ServiceCase]:
    cases = [running_case(place, servers, kind) for kind in kinds]
    know(panel, cases[0].backend, *{case.server.key: case.server for case in cases}.values())
    return cases[0], cases[-1]


def test_postgresql_from_15_to_18(
    panel: Panel, services_place: Place, servers: dict[str, Server], tmp_path: Path
) -> None:
    """The documented way of an upgrade (D4): the backup is restored into the newer server."""
    kinds = [Kind(ServiceKind.POSTGRESQL, version, PostgreSQLGuest()) for version in ("15", "18")]
    old, new = databases(panel, services_place, servers, *kinds)
    source, target = old.provision(rows=500), new.provision(rows=3)
    settle(panel, old.server, source)
    uuid = settle(panel, new.server, target, "live")
    round_trip(panel, uuid, tmp_path / "database.dump")
    assert new.read(target) == old.read(source)
    words = ["pg_restore", "--list", str(tmp_path / "database.dump")]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "TABLE DATA public" in listed
    for case in (old, new):
        for key, facts in case.made:
            case.backend.deprovision(case.server, key, facts)


def test_mysql(
    panel: Panel, services_place: Place, servers: dict[str, Server], tmp_path: Path
) -> None:
    kind = Kind(ServiceKind.MYSQL, "10.11", MariaDBGuest())
    case, _ = databases(panel, services_place, servers, kind)
    source, target = case.provision(rows=200), case.provision(rows=3)
    settle(panel, case.server, source)
    uuid = settle(panel, case.server, target, "live")
    round_trip(panel, uuid, tmp_path / "database.sql")
    assert case.read(target) == case.read(source)
    assert b"CREATE TABLE" in (tmp_path / "database.sql").read_bytes()
    for key, facts in case.made:
        case.backend.deprovision(case.server, key, facts)


def test_media(panel: Panel, storage: Storage, tmp_path: Path) -> None:
    know(panel, storage.backend, storage.server)
    source, target = storage.new(), storage.new()
    files = {"a.jpg": b"a" * 70_000, "päth/☃.txt": b"snow", "empty": b"", "x/y/z": bytes(9_000_000)}
    for key, body in files.items():
        storage.client(source).put_object(Bucket=source["bucket"], Key=key, Body=body)
    storage.client(target).put_object(Bucket=target["bucket"], Key="old", Body=b"old")
    settle(panel, storage.server, source)
    uuid = settle(panel, storage.server, target, "live")
    round_trip(panel, uuid, tmp_path / "media.tar")
    client, bucket = storage.client(target), target["bucket"]
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys} == files
    with tarfile.open(tmp_path / "media.tar") as archive:
        assert any(name.endswith("päth/☃.txt") for name in archive.getnames())
