"""Makes Flask apps without pages, for processes that serve none: workers, scheduler, Git, observer.

They load neither forms nor templates nor rate limits, which is a fifth of a process's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy.orm import configure_mappers

from app import keyrings
from app.adapters.engine import Engine
from app.adapters.git import RepositoryStore
from app.adapters.image_builder import ImageBuilder
from app.adapters.job_queue import JobQueue
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
    # What is written may be secret, and errors end in logs. A connection that the database has
    # closed, e.g. at its restart, is noticed before it is used.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "pool_pre_ping": True}
    app.config["TESTING"] = settings.is_testing
    keyrings.RINGS.site = keyrings.KeyRing.kept_in(settings.data_dir / "secrets" / "site.keys")
    app.extensions[EXTENSION] = Installation(settings, adapters or real_adapters(settings))
    db.init_app(app)
    # Now rather than at the first query: a worker's children and gunicorn's inherit it ready-made.
    configure_mappers()
    return app


def real_adapters(settings: Settings) -> Adapters:
    """Docker, Git on disk and Redis, as the settings say; nothing is contacted yet."""
    return _RealAdapters(settings)


class _RealAdapters(Adapters):
    """Each is made when it is first asked for, and its library loaded only then: the scheduler
    never loads Docker's, nor the observer Git's."""

    def __init__(self, settings: Settings) -> None:
        object.__setattr__(self, "settings", settings)

    def __getattr__(self, name: str) -> Any:
        """Only asked while the field is not set yet."""
        if name not in _MAKERS:
            raise AttributeError(name)
        made = _MAKERS[name](self.__dict__["settings"])
        object.__setattr__(self, name, made)
        return made


def _make_engine(settings: Settings) -> Engine:
    from app.adapters.engine.docker import DockerEngine

    return DockerEngine(settings.docker_url)


def _make_image_builder(settings: Settings) -> ImageBuilder:
    from app.adapters.image_builder.docker import DockerImageBuilder

    return DockerImageBuilder(settings.docker_url)


def _make_repositories(settings: Settings) -> RepositoryStore:
    from app.adapters.git.store import DiskRepositoryStore

    return DiskRepositoryStore(settings.data_dir / "repositories", settings.push_bytes)


def _make_job_queue(settings: Settings) -> JobQueue:
    from app.adapters.job_queue.redis import RedisJobQueue

    return RedisJobQueue(settings.redis_url)


_MAKERS: Mapping[str, Callable[[Settings], Any]] = {
    "engine": _make_engine,
    "image_builder": _make_image_builder,
    "repositories": _make_repositories,
    "job_queue": _make_job_queue,
}


def load_adapters(adapters: Adapters) -> None:
    """Make all of them now, for a process that forks: its children share what is loaded."""
    for item in fields(Adapters):
        getattr(adapters, item.name)
