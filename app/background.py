"""Makes Flask apps without pages, for processes that serve none: workers, scheduler, Git, observer.

They load neither forms nor templates nor rate limits, which is a fifth of a process's memory.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from flask import Flask
from sqlalchemy.orm import configure_mappers

from app import keyrings, seals
from app.adapters.backup_store import BackupStore
from app.adapters.engine import Engine
from app.adapters.git import RepositoryStore
from app.adapters.image_builder import ImageBuilder
from app.adapters.job_queue import JobQueue
from app.adapters.mail import Mailer
from app.adapters.outbound import Outbound
from app.adapters.services import Backends
from app.backups import jobs as backups_jobs
from app.config import Settings
from app.cron import jobs as cron_jobs
from app.deployments import jobs as deployments_jobs
from app.extensions import db
from app.installation import EXTENSION, Adapters, Installation
from app.lifecycle import jobs as lifecycle_jobs
from app.mails import jobs as mails_jobs
from app.services import jobs as services_jobs

ROOT = Path(__file__).parent.parent
JOBS = (backups_jobs, cron_jobs, deployments_jobs, lifecycle_jobs, mails_jobs, services_jobs)
"""Rooms whose jobs listen to signals: imported so that they do in every process."""


def create_background_app(
    settings: Settings | None = None, adapters: Adapters | None = None
) -> Flask:
    """Configuration, database and key ring: what every app of the house has."""
    settings = settings or Settings.read()
    app = Flask("app", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    if settings.uses_sqlite:
        Path(settings.database_url.removeprefix("sqlite:///")).parent.mkdir(
            parents=True, exist_ok=True
        )
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    # What is written may be secret, and errors end in logs. A connection that the database has
    # closed, e.g. at its restart, is noticed before it is used.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "pool_pre_ping": True}
    app.config["TESTING"] = settings.is_testing
    ring = keyrings.KeyRing.kept_in(settings.data_dir / "secrets" / "site.keys")
    app.extensions[keyrings.EXTENSION] = ring
    app.extensions[seals.EXTENSION] = seals.Seal(
        settings.data_dir / "secrets", settings.operator_keys_file
    )
    app.extensions[EXTENSION] = Installation(settings, adapters or real_adapters(settings))
    db.init_app(app)
    # Now rather than at the first query: a worker's children and gunicorn's inherit it ready-made.
    configure_mappers()
    return app


def real_adapters(settings: Settings) -> Adapters:
    """Docker, Git on disk and Redis, as the settings say; nothing is contacted yet."""
    return RealAdapters(settings)


class RealAdapters:
    """Each is made when it is first asked for, and its library loaded only then: the web server
    never loads Docker's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def engine(self) -> Engine:
        from app.adapters.engine.docker import DockerEngine

        return DockerEngine(self._settings.docker_url)

    @cached_property
    def image_builder(self) -> ImageBuilder:
        from app.adapters.image_builder.docker import DockerImageBuilder

        return DockerImageBuilder(self._settings.docker_url)

    @cached_property
    def repositories(self) -> RepositoryStore:
        from app.adapters.git.store import DiskRepositoryStore

        return DiskRepositoryStore(
            self._settings.data_dir / "repositories", self._settings.push_bytes
        )

    @cached_property
    def job_queue(self) -> JobQueue:
        from app.adapters.job_queue.redis import RedisJobQueue

        return RedisJobQueue(self._settings.redis_url)

    @cached_property
    def mailer(self) -> Mailer:
        if self._settings.mail_url:
            from app.adapters.mail.smtp import SMTPMailer

            return SMTPMailer(self._settings.mail_url)
        from app.adapters.mail.files import FileMailer

        return FileMailer(self._settings.data_dir / "mail")

    @cached_property
    def outbound(self) -> Outbound:
        from app.adapters.outbound.direct import DirectOutbound

        return DirectOutbound(self._settings.dns_resolver, self._settings.outbound_networks)

    @cached_property
    def services(self) -> Backends:
        from app.adapters.services.all_kinds import AllKinds

        return AllKinds(self.engine, self._settings)

    @cached_property
    def backup_store(self) -> BackupStore:
        if self._settings.backup_url:
            from app.adapters.backup_store.s3 import S3Store

            return S3Store(self._settings.backup_url)
        from app.adapters.backup_store.folder import FolderStore

        return FolderStore(self._settings.data_dir / "backups")

    def load(self) -> None:
        """Make all of them now, for a process that forks: its children share what is loaded."""
        _ = self.engine, self.image_builder, self.repositories, self.job_queue
