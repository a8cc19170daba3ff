"""A panel served on loopback, with fakes for Docker and the queue and real Git on disk."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app.accounts.models import User
from app.adapters.backup_store.folder import FolderStore
from app.adapters.engine.fake import FakeEngine
from app.adapters.git.store import DiskRepositoryStore
from app.adapters.image_builder.fake import FakeImageBuilder
from app.adapters.job_queue.fake import FakeJobQueue
from app.adapters.mail.fake import FakeMailer
from app.adapters.outbound.fake import FakeOutbound
from app.adapters.services.fake import FakeBackends
from app.addons.builtin import publish_plugins
from app.cli import create_app
from app.config import Settings, kept_secret
from app.extensions import db
from app.installation import GivenAdapters
from app.organisations.operations import sign_up
from app.plans.operations import seed_plans
from app.regions.operations import seed_regions
from app.routes.operations import seed_feed
from app.seals import present_seal
from app.services.servers import seed_servers
from app.transactions import unit_of_work

SITE_KEY = Fernet.generate_key().decode()
"""One key for all panels of the process: the key ring belongs to the process, not to an app."""
PASSWORD = "correct horse battery"  # of every person in these tests


@dataclass(frozen=True)
class Panel:
    """A running panel: its app for seeding rows, its address for the browser."""

    app: Flask
    url: str

    def add_person(self, email: str, name: str) -> None:
        """A person with an organisation of their own, and `PASSWORD`."""
        with self.app.app_context(), unit_of_work():
            sign_up(email, name, PASSWORD)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A line for each file would bury what a failing test prints."""


@contextmanager
def running_panel(directory: Path) -> Iterator[Panel]:
    """Serve a fresh panel that keeps everything under `directory`."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]  # passkeys know the panel by its whole address
    environ = {"DATA_DIR": str(directory), "MOONBASE_IS_TESTING": "true", "PORT": str(port)}
    settings = Settings.read(environ)
    kept_secret(directory / "secrets" / "site.keys", SITE_KEY)
    engine = FakeEngine()
    repositories = DiskRepositoryStore(directory / "repositories", settings.push_bytes)
    adapters = GivenAdapters(
        engine=engine,
        image_builder=FakeImageBuilder(engine),
        repositories=repositories,
        job_queue=FakeJobQueue(),
        mailer=FakeMailer(),
        outbound=FakeOutbound(),
        services=FakeBackends(),
        backup_store=FolderStore(directory / "backups"),
    )
    app = create_app(settings, adapters)
    with app.app_context():
        db.create_all()
        present_seal().ensure()
        with unit_of_work():
            seed_regions()
            seed_feed("local", "token of the ingress node")
            seed_plans()
            publish_plugins()
            seed_servers()
    server = make_server(
        "127.0.0.1",
        port,
        app,
        threaded=True,
        request_handler=_Quiet,
        fd=listener.fileno(),
    )
    listener.close()  # the server has one of its own
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Panel(app, settings.panel_url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def find_person(email: str) -> User:
    """Inside an app context."""
    return db.session.scalars(db.select(User).where(User.email == email)).one()
