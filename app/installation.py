"""The installation this process serves: its settings and the adapters it was given."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

from flask import current_app

from app.adapters.backup_store import BackupStore
from app.adapters.engine import Engine
from app.adapters.git import RepositoryStore
from app.adapters.image_builder import ImageBuilder
from app.adapters.job_queue import JobQueue
from app.adapters.mail import Mailer
from app.adapters.outbound import Outbound
from app.adapters.services import Backends
from app.config import Settings

EXTENSION = "moonbase"


class Adapters(Protocol):
    """The outside world, as handed to `create_app`; tests hand in fakes."""

    @property
    def engine(self) -> Engine: ...

    @property
    def image_builder(self) -> ImageBuilder: ...

    @property
    def repositories(self) -> RepositoryStore: ...

    @property
    def job_queue(self) -> JobQueue: ...

    @property
    def mailer(self) -> Mailer: ...

    @property
    def outbound(self) -> Outbound: ...

    @property
    def services(self) -> Backends: ...

    @property
    def backup_store(self) -> BackupStore: ...


@dataclass(frozen=True)
class GivenAdapters:
    """Adapters that are there already."""

    engine: Engine
    image_builder: ImageBuilder
    repositories: RepositoryStore
    job_queue: JobQueue
    mailer: Mailer
    outbound: Outbound
    services: Backends
    backup_store: BackupStore


@dataclass(frozen=True)
class Installation:
    """What every request and job can rely on."""

    settings: Settings
    adapters: Adapters


def installation() -> Installation:
    """The one of the present app."""
    return cast(Installation, current_app.extensions[EXTENSION])


@contextmanager
def alone_with(what: str, waits: bool = True) -> Iterator[bool]:
    """Hold a lock of this machine's engine, e.g. of the server that is being started; a process
    that dies lets go of it. Without `waits`, gives False at once when another process has it."""
    path = installation().settings.data_dir / "tmp" / f"{what}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
