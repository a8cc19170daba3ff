"""Makes Flask apps without pages, for processes that serve none: workers, scheduler, Git, observer.

They load neither forms nor templates nor rate limits, which is a fifth of a process's memory.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from sqlalchemy.orm import configure_mappers

from app import keyrings
from app.adapters.engine.docker import DockerEngine
from app.adapters.git.store import DiskRepositoryStore
from app.adapters.image_builder.docker import DockerImageBuilder
from app.adapters.job_queue.redis import RedisJobQueue
from app.config import Settings
from app.deployments import jobs
from app.extensions import db
from app.installation import EXTENSION, Adapters, Installation

ROOT = Path(__file__).parent.parent
JOBS = (jobs,)
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
    app.config["TESTING"] = settings.is_testing
    keyrings.RINGS.site = keyrings.KeyRing.kept_in(settings.data_dir / "secrets" / "site.keys")
    app.extensions[EXTENSION] = Installation(settings, adapters or real_adapters(settings))
    db.init_app(app)
    # Now rather than at the first query: a worker's children and gunicorn's inherit it ready-made.
    configure_mappers()
    return app


def real_adapters(settings: Settings) -> Adapters:
    """Docker, Git on disk and Redis, as the settings say; nothing is contacted yet."""
    return Adapters(
        engine=DockerEngine(settings.docker_url),
        image_builder=DockerImageBuilder(settings.docker_url),
        repositories=DiskRepositoryStore(settings.data_dir / "repositories", settings.push_bytes),
        job_queue=RedisJobQueue(settings.redis_url),
    )
