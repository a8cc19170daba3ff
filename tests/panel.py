"""A whole panel for a test: real database, real repositories, an engine in memory, and people."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from itsdangerous import URLSafeTimedSerializer
from werkzeug.serving import make_server

from app.accounts.models import User
from app.accounts.queries import find_user
from app.accounts.sign_ins import Visitor, open_sign_in
from app.adapters.backup_store.folder import FolderStore
from app.adapters.git.store import DiskRepositoryStore
from app.adapters.image_builder.fake import FakeImageBuilder
from app.adapters.job_queue.fake import FakeJobQueue
from app.adapters.mail.fake import FakeMailer
from app.adapters.outbound.fake import FakeOutbound
from app.adapters.services.fake import FakeBackends
from app.addons.builtin import publish_plugins
from app.applications.models import Application, Starter
from app.applications.operations import add_collaborator
from app.applications.queries import find_application
from app.audit.chain import seed_chain
from app.cli import create_app
from app.config import Settings, Times
from app.environments.models import Environment
from app.environments.queries import find_environment
from app.extensions import db
from app.installation import GivenAdapters
from app.lifecycle.operations import NewApplication, create_application
from app.organisations.models import Organisation
from app.organisations.operations import add_member, create_organisation, sign_up
from app.organisations.queries import find_organisation
from app.permissions import Access, Role
from app.plans.operations import seed_plans
from app.regions.operations import seed_regions
from app.routes.operations import seed_feed
from app.seals import present_seal
from app.services.servers import seed_servers
from app.transactions import unit_of_work
from tests.quick_panels import (
    share_dialects,
    share_matchers,
    share_rules,
    share_statements,
    share_templates,
)
from tests.serving_engine import ServingEngine

share_rules()
share_matchers()
share_dialects()

NODE_TOKEN = "the token of the ingress node of the tests"
PASSWORD = "correct horse battery"
SITE_PORT = 23_480
"""What `serving` images expose; containers have addresses of their own, so all use the same."""
QUICK = Times(
    lease=2,
    heartbeat=0.2,
    build=5,
    release_command=1,
    connect_attempt=0.2,
    connect_total=1,
    answer=0.5,
    route_effective=0.5,
    node_alive=5,
    drain=0.02,
    stop_grace=1,
    process_watch=0.05,
    stream=2,
)


@dataclass(frozen=True)
class Person:
    """Somebody with an account. Which role they have stands in `PEOPLE`."""

    name: str

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.com"

    def __str__(self) -> str:
        return self.name


ALICE = Person("Alice")  # owns the organisation with application `demo`
ADAM = Person("Adam")  # administrator there
DORA = Person("Dora")  # regular member, collaborator on `demo`
BOB = Person("Bob")  # regular member who may only look at `demo`
RITA = Person("Rita")  # regular member without access
EVE = Person("Eve")  # site editor who was given `demo`
ERIN = Person("Erin")  # site editor who was given nothing
CHARLIE = Person("Charlie")  # a stranger with application `other` of his own
PEOPLE = (ALICE, ADAM, DORA, BOB, RITA, EVE, ERIN, CHARLIE)
ROLES = {ADAM: Role.ADMINISTRATOR, EVE: Role.SITE_EDITOR, ERIN: Role.SITE_EDITOR}


def make_settings(data_dir: Path, database_url: str = "") -> Settings:
    """Settings of a panel in `data_dir`; containers get loopback addresses, times are short."""
    return Settings(
        data_dir=data_dir,
        database_url=database_url or f"sqlite:///{data_dir}/panel/panel.sqlite3",
        redis_url="unix:///nonexistent/redis.sock",
        secret_key="the secret key of the tests",
        mail_sender="moonbase@panel.example.com",
        network_pool=f"127.{16 + os.getpid() % 200}.0.0/16",  # two runs at once do not meet
        sites_port=9,
        free_bytes_needed=1,
        is_testing=True,
        times=QUICK,
    )


class Panel:
    """One panel. `work()` opens a unit of work, `reading()` an app context for looking."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = ServingEngine()
        self.builder = FakeImageBuilder(self.engine)
        self.store = DiskRepositoryStore(settings.data_dir / "repositories", settings.push_bytes)
        self.queue = FakeJobQueue()
        self.mailer = FakeMailer()
        self.outbound = FakeOutbound()
        self.services = FakeBackends()
        self.backup_store = FolderStore(settings.data_dir / "backups")
        self.adapters = GivenAdapters(
            engine=self.engine,
            image_builder=self.builder,
            repositories=self.store,
            job_queue=self.queue,
            mailer=self.mailer,
            outbound=self.outbound,
            services=self.services,
            backup_store=self.backup_store,
        )
        self.app = create_app(settings, self.adapters)
        share_statements(self.app)
        share_templates(self.app)

    @contextmanager
    def work(self) -> Iterator[None]:
        """An app context with a unit of work; all is committed at the end."""
        with self.app.app_context(), unit_of_work():
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """An app context with a fresh session."""
        with self.app.app_context():
            yield

    def client(self) -> FlaskClient:
        """A browser in which nobody is signed in; its forms carry a valid CSRF token."""
        return self._prepared(None)

    def client_of(self, person: Person, *, has_second_factor: bool = False) -> FlaskClient:
        """A browser in which `person` is signed in."""
        with self.work():
            user = user_of(person)
            key = open_sign_in(user, Visitor(), has_second_factor=has_second_factor)
        return self._prepared(key)

    def _prepared(self, sign_in_key: str | None) -> FlaskClient:
        client = self.app.test_client()
        raw = hashlib.sha256(b"csrf").hexdigest()
        with client.session_transaction() as session:
            session["csrf_token"] = raw
            if sign_in_key:
                session["_user_id"], session["_fresh"] = sign_in_key, True
        client.environ_base["HTTP_ACCEPT"] = "text/html"
        client.environ_base["HTTP_X_CSRFTOKEN"] = csrf_token(self.app, raw)
        return client

    @contextmanager
    def served(self) -> Iterator[tuple[str, int]]:
        """The panel behind a real HTTP server, a thread a request; gives host and port."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield "127.0.0.1", server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def close(self) -> None:
        """Stop the sites and let go of the database file."""
        self.engine.close()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


def csrf_token(app: Flask, raw: str) -> str:
    """What a form of a session with `raw` holds (Flask-WTF's own recipe)."""
    return URLSafeTimedSerializer(app.secret_key or "", salt="wtf-csrf-token").dumps(raw)


def build_schema(panel: Panel) -> None:
    """Run the real migrations and add the rows every installation has."""
    with panel.app.app_context():
        upgrade()
        present_seal().ensure()
        with unit_of_work():
            seed_regions(panel.settings.network_pool)
            seed_plans()
            publish_plugins()
            seed_servers()
            seed_chain()
            seed_feed("local", NODE_TOKEN)


def settle_people(panel: Panel) -> None:
    """The people of `PEOPLE`, organisations `moon` and `charlie`, applications demo and other."""
    with panel.work():
        people = {person: sign_up(person.email, person.name, PASSWORD) for person in PEOPLE}
        alice, charlie = people[ALICE], people[CHARLIE]
        moon = create_organisation("Moon", alice)
        for person in (ADAM, DORA, BOB, RITA, EVE, ERIN):
            add_member(moon, person.email, ROLES.get(person, Role.REGULAR), alice)
        demo = make_application(panel, "demo", moon, alice)
        add_collaborator(demo, DORA.email, Access.COLLABORATOR, alice)
        add_collaborator(demo, BOB.email, Access.VIEWER, alice)
        add_collaborator(demo, EVE.email, Access.EDITOR, alice)
        own = find_organisation("charlie")
        assert own is not None
        make_application(panel, "other", own, charlie)


def make_application(
    panel: Panel,
    slug: str,
    organisation: Organisation,
    actor: User,
    starter: Starter = Starter.STATIC,
) -> Application:
    """An application as the page makes it; belongs into a unit of work."""
    wanted = NewApplication(slug.title(), slug, starter)
    return create_application(wanted, organisation, actor, panel.store, panel.settings)


def make_template(data_dir: Path) -> Path:
    """A data directory with schema and people, to be copied for each test."""
    panel = Panel(make_settings(data_dir))
    build_schema(panel)
    settle_people(panel)
    panel.close()
    return data_dir


def copy_panel(template: Path, data_dir: Path) -> Panel:
    """A panel of its own from the template."""
    shutil.copytree(template, data_dir)
    return Panel(make_settings(data_dir))


# Looking things up; inside `reading()` or `work()` ------------------------------------------


def user_of(person: Person) -> User:
    """The person's row."""
    user = find_user(person.email)
    assert user is not None
    return user


def application(slug: str = "demo") -> Application:
    """The application's row."""
    found = find_application(slug)
    assert found is not None
    return found


def environment(slug: str = "test", of: str = "demo") -> Environment:
    """The environment's row."""
    found = find_environment(application(of).id, slug)
    assert found is not None
    return found


def organisation(slug: str = "moon") -> Organisation:
    """The organisation's row."""
    found = find_organisation(slug)
    assert found is not None
    return found
