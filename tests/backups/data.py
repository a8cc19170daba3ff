"""Environments with services that hold data, and the jobs of backups run to their end."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from app.adapters.backup_store import BackupStore, Draft, Space
from app.adapters.backup_store.folder import FolderStore
from app.adapters.services import Contents, Facts, Order, Server, ServiceKind
from app.adapters.services.fake import FakeBackend
from app.backups.models import Backup
from app.backups.operations import NewBackup, request_backup
from app.environments.models import Environment
from app.extensions import db, now
from app.installation import EXTENSION, Installation
from app.mails.models import Mail
from app.regions.models import Region
from app.services.models import DEFAULT, ServiceInstance, ServiceServer, ServiceState
from app.services.servers import server_of
from tests.panel import ALICE, Panel, environment, user_of

Tables = Mapping[str, list[str]]
ROWS: Tables = {"people": ["Ada", "Grace"], "pages": ["home"]}
FILES: Tables = {"media": ["ä.jpg", "b/c.txt"]}
JOBS = "app.backups.jobs."


def add_server(panel: Panel, kind: ServiceKind, version: str = "15") -> int:
    """A server row of this kind; its number."""
    with panel.work():
        region = db.session.scalars(db.select(Region)).first()
        assert region
        row = ServiceServer(
            region=region,
            kind=kind,
            version=version,
            name=f"{kind} {version}",
            is_embedded=True,
            secret="the administrator's password",
        )
        db.session.add(row)
        db.session.flush()
        return row.id


def find_server(panel: Panel, kind: ServiceKind, version: str) -> int:
    """The server of this kind and version; made when there is none."""
    with panel.reading():
        found = db.session.scalar(
            db.select(ServiceServer.id).where(
                ServiceServer.kind == kind, ServiceServer.version == version
            )
        )
    return found or add_server(panel, kind, version)


def fill(
    panel: Panel,
    where: Environment | str = "test",
    kind: ServiceKind = ServiceKind.POSTGRESQL,
    tables: Tables = ROWS,
    *,
    prefix: str = DEFAULT,
    version: str = "15",
    of: str = "demo",
) -> str:
    """An attached instance with data; its uuid."""
    server_id = find_server(panel, kind, version)
    slug = where if isinstance(where, str) else where.slug
    with panel.work():
        row = ServiceInstance(
            environment_id=environment(slug, of).id,
            server_id=server_id,
            kind=kind,
            prefix=prefix,
            state=ServiceState.ATTACHED,
            provisioned_at=now(),
        )
        db.session.add(row)
        db.session.flush()
        backend = panel.services.of(kind)
        server = server_of(row.server)
        backend.start(server)
        row.facts = backend.provision(server, Order(row.key, row.password))
        backend.data[row.key] = {name: list(lines) for name, lines in tables.items()}
        return row.uuid


def instance(uuid: str) -> ServiceInstance:
    """The row; inside `reading()` or `work()`."""
    return db.session.scalars(db.select(ServiceInstance).where(ServiceInstance.uuid == uuid)).one()


def data_of(panel: Panel, uuid: str) -> dict[str, list[str]]:
    """What is in an instance now."""
    with panel.reading():
        row = instance(uuid)
        return backend_of(panel, row.kind).data[row.key]


def backend_of(panel: Panel, kind: ServiceKind = ServiceKind.POSTGRESQL) -> FakeBackend:
    return panel.services.of(kind)


def run_jobs(panel: Panel) -> list[str]:
    """Run what is enqueued for backups, and what that enqueues; the names of the jobs."""
    done = []
    with panel.reading():
        while panel.queue.jobs:
            function, arguments = panel.queue.jobs.pop(0)
            if function.startswith((JOBS, "app.services.jobs.")):
                module, _, name = function.rpartition(".")
                getattr(importlib.import_module(module), name)(*arguments)
                db.session.remove()
                done.append(name)
        panel.queue.keys.clear()
    return done


def run(panel: Panel, name: str, *arguments: int) -> None:
    """Run one job of backups."""
    with panel.reading():
        getattr(importlib.import_module("app.backups.jobs"), name)(*arguments)
        db.session.remove()


def ask(panel: Panel, where: str = "test", wanted: NewBackup = NewBackup()) -> str:  # noqa: B008
    """Ask for a backup as Alice; its uuid."""
    with panel.work():
        return request_backup(environment(where), wanted, user_of(ALICE)).uuid


def take(panel: Panel, where: str = "test") -> str:
    """Ask for one and have it taken."""
    uuid = ask(panel, where)
    run_jobs(panel)
    return uuid


def backup(uuid: str) -> Backup:
    """The row; inside `reading()` or `work()`."""
    return db.session.scalars(db.select(Backup).where(Backup.uuid == uuid)).one()


class StrangeStore(FolderStore):
    """A folder that can be full, and that may keep something else than what it was given."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel.settings.data_dir / "backups")
        self.folder = panel.settings.data_dir / "backups"
        self.given_space: Space | None = None
        self.damages = False

    def space(self) -> Space | None:
        return self.given_space or super().space()

    @contextmanager
    def writing(self, name: str) -> Iterator[Draft]:
        with super().writing(name) as draft:
            yield draft
            if self.damages:
                damage(self.folder / "drafts" / f"{name}.age")


def damage(path: Path) -> None:
    """Turn one bit in the last block."""
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@dataclass
class Interrupted(FakeBackend):
    """A backend during whose work something else happens."""

    meanwhile: Callable[[str], None] = lambda question: None
    """Told the question, before its answer."""

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        self.meanwhile("backup")
        return super().backup(server, facts, sink)

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        self.meanwhile("restore")
        super().restore(server, facts, source, is_whole=is_whole)


def interrupt(panel: Panel, meanwhile: Callable[[str], None]) -> None:
    """Have `meanwhile` called while PostgreSQL works. It runs in an app context of its own."""

    def alone(question: str) -> None:
        with panel.app.app_context():
            meanwhile(question)

    present = backend_of(panel)
    backend = Interrupted(present.kind, present.data, present.running, meanwhile=alone)
    panel.services._made[present.kind] = backend


def put_store(panel: Panel, store: BackupStore) -> None:
    """Have the panel keep its backups there."""
    here: Installation = panel.app.extensions[EXTENSION]
    adapters = replace(panel.adapters, backup_store=store)
    panel.app.extensions[EXTENSION] = replace(here, adapters=adapters)


def put_times(panel: Panel, **times: float) -> None:
    """Other waits."""
    here: Installation = panel.app.extensions[EXTENSION]
    changed = replace(here.settings, times=replace(here.settings.times, **times))
    panel.app.extensions[EXTENSION] = replace(here, settings=changed)


def stored(panel: Panel) -> list[Path]:
    """Everything in the store."""
    return sorted((panel.settings.data_dir / "backups").rglob("*.age"))


def letters(panel: Panel) -> list[tuple[str, str, str]]:
    """Recipient, subject and text of what is in the outbox."""
    with panel.reading():
        rows = db.session.scalars(db.select(Mail).order_by(Mail.id))
        return [(row.recipient, row.subject, row.text) for row in rows]


def put_settings(panel: Panel, **settings: object) -> None:
    """Other settings."""
    here: Installation = panel.app.extensions[EXTENSION]
    changed = replace(here.settings, **settings)  # type: ignore[arg-type]
    panel.app.extensions[EXTENSION] = replace(here, settings=changed)
