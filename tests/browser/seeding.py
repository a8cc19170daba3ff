"""An agency in the middle of its work: sites in every state the pages can show."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass

from flask import Flask

from app.accounts.models import EmailChange, PasswordReset, User
from app.accounts.operations import add_ssh_key, create_access_token
from app.accounts.queries import hash_token
from app.accounts.sign_ins import Visitor, open_sign_in
from app.adapters.git import Author
from app.applications.models import Application, Starter
from app.applications.operations import add_collaborator
from app.deployments.models import (
    Build,
    CurrentRelease,
    Deployment,
    DeploymentKind,
    DeploymentStatus,
    DeploymentStep,
    Receipt,
    Release,
    StepStatus,
)
from app.deployments.pipeline import STORIES
from app.domains.queries import CLAIM_LASTS
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.extensions import db, now
from app.installation import installation
from app.lifecycle.operations import NewApplication, create_application
from app.logs.queries import log_store
from app.organisations.models import Organisation
from app.organisations.operations import add_member, create_organisation, sign_up
from app.permissions import Access, Role, Scope
from app.platform_status.models import Impact
from app.platform_status.operations import open_incident, report_alive, resolve_incident
from app.repositories.operations import mark_deployed, refresh_branch
from app.repositories.queries import load_repository
from app.routes.models import IngressNode
from app.runtime.operations import add_release_command
from app.runtime.queries import resolve_configuration
from app.transactions import unit_of_work
from app.variables.operations import set_variable
from tests.browser.panel import PASSWORD
from tests.browser.seeding_addons import seed_addons
from tests.browser.seeding_backups import seed_backups
from tests.browser.seeding_cron import seed_cron
from tests.browser.seeding_domains import seed_domains
from tests.browser.seeding_flavours import FLAVOURS_SITE, seed_flavours
from tests.browser.seeding_people import seed_people
from tests.browser.seeding_services import seed_services
from tests.browser.seeding_site_addons import seed_site_addons
from tests.browser.seeding_trash import seed_trash
from tests.browser.seeding_workers import seed_workers

EMAIL = "mara@northlight.example"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGYlcgLnPQEbFpPNT1rYz4RYz2oJOjIAhkPdYxW7iRUd mara@laptop"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1"
MAILED_TOKEN = "of-a-link-in-a-mail"
SECONDS = (0.8, 14.2, 0.1, 3.4, 1.9, 2.6, 3.5, 0.7)
LOG = """\
===== check out =====
Commit {commit} “{subject}” on branch main
===== docker build =====
Step 1/6 : FROM moonbase/python:3.11
Step 2/6 : WORKDIR /app
Step 3/6 : COPY requirements.txt .
Step 4/6 : RUN pip install --no-cache-dir -r requirements.txt
Collecting Django==5.2.8
  Downloading django-5.2.8-py3-none-any.whl (8.3 MB)
Collecting gunicorn==23.0.0
  Downloading gunicorn-23.0.0-py3-none-any.whl (85 kB)
Collecting psycopg[binary]==3.2.12
  Downloading psycopg_binary-3.2.12-cp311-cp311-manylinux_2_17_x86_64.whl (4.2 MB)
Installing collected packages: packaging, gunicorn, asgiref, sqlparse, psycopg, Django
Successfully installed Django-5.2.8 asgiref-3.9.1 gunicorn-23.0.0 packaging-25.0 psycopg-3.2.12
Step 5/6 : COPY . .
Step 6/6 : EXPOSE 8000
The image has 148.2 MiB
===== release commands =====
$ python manage.py migrate --noinput
Operations to perform:
  Apply all migrations: admin, auth, contenttypes, pages, sessions
Running migrations:
  Applying pages.0012_opening_hours... OK
"""
HEALTHY = """\
===== start containers =====
Starting moonbase-web-1 from the new image
===== health checks =====
The site answered 200 on port 8000 after 1.2 s
===== switch =====
Every ingress node sends visitors to the new containers
"""
UNHEALTHY = """\
===== start containers =====
Starting moonbase-web-1 from the new image
===== health checks =====
[web-1] Traceback (most recent call last):
[web-1]   File "/app/manage.py", line 11, in <module>
[web-1]     from django.core.management import execute_from_command_line
[web-1] ModuleNotFoundError: No module named 'storages'
The container stopped before it answered (exit code 1)
"""


@dataclass(frozen=True)
class Agency:
    """What was seeded, by the names the addresses need."""

    email: str
    slug: str
    organisation: str
    succeeded: str
    failed: str
    running: str


class Seeder:
    """Plays what people and workers do, at chosen times."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        self.store = installation().adapters.repositories

    def application(self, organisation: Organisation, name: str, slug: str) -> list[Environment]:
        """A static site; its environments, Test first."""
        wanted = NewApplication(name, slug, Starter.STATIC)
        settings = installation().settings
        row = create_application(wanted, organisation, self.owner, self.store, settings)
        return list(list_environments(row.id))

    def commit(self, application: Application, subject: str, author: User) -> str:
        """One more commit on `main`."""
        key = load_repository(application.id).uuid
        tip = self.store.resolve(key, "main")
        files = {"public/news.html": f"<p>{subject}</p>\n".encode()}
        who = Author(author.name, author.email)
        sha = self.store.commit(key, "main", files, subject, who, expected=tip)
        for environment in list_environments(application.id):
            refresh_branch(environment, self.store)
        return sha

    def deployment(
        self, environment: Environment, status: DeploymentStatus, ago: float, actor: User | None
    ) -> Deployment:
        """A run on the tip of `main`, begun `ago` minutes ago, that stands where `status` says."""
        key = load_repository(environment.application_id).uuid
        commit = self.store.log(key, self.store.resolve(key, "main") or "", None, 1)[0]
        began = now() - datetime.timedelta(minutes=ago)
        current = db.session.scalar(
            db.select(CurrentRelease).where(CurrentRelease.environment_id == environment.id)
        )
        row = Deployment(
            environment=environment,
            actor=actor,
            kind=DeploymentKind.DEPLOY,
            status=status,
            commit=commit.sha,
            subject=commit.subject,
            created_at=began,
            previous_commit=current.release.commit if current else None,
        )
        db.session.add(row)
        db.session.flush()
        if status != DeploymentStatus.QUEUED:
            self._run(row, began)
        return row

    def _run(self, row: Deployment, began: datetime.datetime) -> None:
        log = log_store().deployment(row.uuid)
        log.append(LOG.format(commit=row.commit[:12], subject=row.subject))
        reached = {"failed": 6, "running": 4, "succeeded": 8}[row.status]
        row.started_at = row.heartbeat_at = clock = began + datetime.timedelta(seconds=1)
        for number, step in enumerate(STORIES[row.kind][:reached], 1):
            is_last = number == reached and row.status != DeploymentStatus.SUCCEEDED
            state = StepStatus(row.status) if is_last else StepStatus.SUCCEEDED
            ends = clock + datetime.timedelta(seconds=SECONDS[number - 1])
            is_open = state == StepStatus.RUNNING
            row.steps.append(
                DeploymentStep(
                    name=step.name,
                    status=state,
                    started_at=clock,
                    ended_at=None if is_open else ends,
                )
            )
            clock = ends
        if row.status == DeploymentStatus.SUCCEEDED:
            log.append(HEALTHY)
            self._release(row, clock)
        if row.status == DeploymentStatus.FAILED:
            log.append(UNHEALTHY)
            row.sentence = "A container stopped before it answered."
            row.advice = "A package the site needs is not in the image. Add it to the requirements."
        if row.status.is_final:
            row.ended_at = clock

    def _release(self, row: Deployment, at: datetime.datetime) -> None:
        environment = row.environment
        build = Build(
            application_id=environment.application_id,
            environment_id=environment.id,
            commit=row.commit,
            image="sha256:" + row.commit.ljust(64, "0"),
            tag=f"moonbase/{environment.application.slug}:{row.commit[:12]}",
            exposed_ports=[80],
            seconds=14.2,
        )
        db.session.add(build)
        db.session.flush()
        numbers = db.select(db.func.max(Release.number)).where(
            Release.environment_id == environment.id
        )
        number = (db.session.scalar(numbers) or 0) + 1
        if number > 1:
            set_variable(environment, "FEATURE_OPENING_HOURS", str(number), False, self.owner)
        configuration = resolve_configuration(environment)
        release = Release(
            environment_id=environment.id,
            build_id=build.id,
            number=number,
            commit=row.commit,
            image=build.image,
            encrypted_variables=json.dumps(dict(configuration.variables)),
            secrets=json.dumps(configuration.secrets),
            release_commands=[list(pair) for pair in configuration.release_commands],
            port=80,
            containers=configuration.containers,
            limits=asdict(configuration.limits),
            hosts=list(configuration.hosts),
            redirects=[list(redirect) for redirect in configuration.redirects],
            created_at=at,
        )
        db.session.add(release)
        db.session.flush()
        row.release_id = release.id
        current = db.session.scalar(
            db.select(CurrentRelease).where(CurrentRelease.environment_id == environment.id)
        )
        if current is None:
            current = CurrentRelease(environment_id=environment.id)
            db.session.add(current)
        current.release_id, current.deployment_id = release.id, row.id
        if number > 1:
            db.session.add(
                Receipt(
                    deployment_id=row.id,
                    sent=312,
                    failed=0,
                    p95_ms=18.4,
                    longest_gap_ms=71.2,
                    switched_at=at,
                )
            )
        mark_deployed(environment, row.commit, self.store)


def seed_agency(app: Flask) -> Agency:
    """All of it, in one unit of work."""
    with app.app_context(), unit_of_work():
        owner = sign_up(EMAIL, "Mara Lindqvist", PASSWORD)
        agency = create_organisation("Northlight Studio", owner)
        client = create_organisation("Riverside Group", owner)
        dev = sign_up("jonas@northlight.example", "Jonas Weber", PASSWORD)
        guest = sign_up("petra@riverside.example", "Petra Okonkwo", PASSWORD)
        add_member(agency, dev.email, Role.ADMINISTRATOR, owner)
        add_member(agency, guest.email, Role.REGULAR, owner)
        _operate(owner)
        for agent in (PHONE, "moonbase-cli/0.9 (Linux)"):
            open_sign_in(owner, Visitor("2001:db8::17", agent), is_kept=True)
        seeded = _seed(Seeder(owner), agency, client, dev, guest)
    seed_site_addons(app, EMAIL)
    return seeded


def _operate(owner: User) -> None:
    """The owner looks after the installation too: processes report, an incident is over."""
    owner.is_operator = True
    for component in ("scheduler", "worker", "observer", "cron", "ssh", "asker"):
        report_alive(component)
    db.session.execute(db.update(IngressNode).values(seen_at=now(), loaded_version=1))
    report_alive("engine", "local", {"version": "27.5.1", "containers": 14, "running": 12})
    waiting = {"name": "deployments", "waiting": 1, "failed": 0, "oldest_at": now().isoformat()}
    idle = {"name": "operations", "waiting": 0, "failed": 2, "oldest_at": None}
    report_alive("queue", "local", {"queues": [waiting, idle]})
    sizes = {"repositories": 412e6, "logs": 1.9e9, "panel": 48e6, "images": 21.4e9}
    folders = {name: {"bytes": size, "is_whole": name != "logs"} for name, size in sizes.items()}
    report_alive("disk", "local", {"total": 250e9, "free": 90e9, "folders": folders})
    incident = open_incident("Builds are slow", Impact.DEGRADED, "We look into it.", owner)
    incident.created_at = now() - datetime.timedelta(days=12)
    resolve_incident(incident, "A disk was nearly full. It has twice the room now.", owner)
    incident.resolved_at = incident.created_at + datetime.timedelta(minutes=50)


def _seed(
    seeder: Seeder, agency: Organisation, client: Organisation, dev: User, guest: User
) -> Agency:
    owner = seeder.owner
    status = DeploymentStatus
    test, live = seeder.application(agency, "Riverside Bakery", "riverside-bakery")
    application = test.application
    for minutes, subject in (
        (4000, "Show the menu of the week"),
        (1600, "Make photos load when they are seen"),
        (300, "Add opening hours to the footer"),
    ):
        seeder.commit(application, subject, dev)
        first = seeder.deployment(test, status.SUCCEEDED, minutes, dev)
        seeder.deployment(live, status.SUCCEEDED, minutes - 20, owner)
    seeder.commit(application, "Store uploads in object storage", dev)
    failed = seeder.deployment(test, status.FAILED, 35, dev)
    seeder.commit(application, "Add the storage package to the requirements", dev)
    running = seeder.deployment(test, status.RUNNING, 0.3, dev)
    _configure(application, test, live, owner, guest)
    for number, (name, slug, place) in enumerate(
        (
            ("Alpine Club Library", "alpine-library", agency),
            ("City Museum", "city-museum", agency),
            ("Harbour Festival 2027", "harbour-festival", agency),
            ("Riverside Group Careers", "riverside-careers", client),
            ("Velo Workshop", "velo-workshop", agency),
            ("Zoë & Daughters Notaries", "zoe-notaries", client),
        )
    ):
        here, there = seeder.application(place, name, slug)
        if slug == FLAVOURS_SITE:
            seed_flavours([here, there], seeder.store)
            continue
        seeder.deployment(here, status.SUCCEEDED, 500 + 1700 * number, dev)
        seeder.deployment(there, status.SUCCEEDED, 480 + 1700 * number, owner)
        if slug == "city-museum":
            seeder.commit(here.application, "Translate the ticket page", dev)
            seeder.commit(here.application, "Fix the map on small screens", dev)
        if slug == "alpine-library":
            seeder.deployment(there, status.FAILED, 95, None)
    blank = NewApplication("Observatory Blog", "observatory-blog", Starter.BLANK)
    create_application(blank, agency, owner, seeder.store, installation().settings)
    over = ("Winter Market 2024", "winter-market"), ("Old Town Tours", "old-town-tours")
    old, older = (seeder.application(agency, *names)[0].application for names in over)
    seed_trash(application, old, older, owner)
    seed_people(application, owner, dev)
    seed_addons(agency, owner, dev, guest)
    return Agency(
        email=EMAIL,
        slug=application.slug,
        organisation=agency.slug,
        succeeded=first.uuid,
        failed=failed.uuid,
        running=running.uuid,
    )


def _configure(
    application: Application, test: Environment, live: Environment, owner: User, guest: User
) -> None:
    for environment in (test, live):
        set_variable(environment, "STRIPE_API_KEY", "sk_test_51Nxxxxxxxxxxxxx", True, owner)
        set_variable(environment, "MAIL_FROM", "hello@riverside-bakery.example", False, owner)
        set_variable(environment, "SITE_NAME", "Riverside Bakery & Café", False, owner)
        set_variable(environment, "ROBOTS", "", False, owner)
        set_variable(environment, "GREETING", "  Good morning,\nwe are open  ", False, owner)
        set_variable(environment, "ROBOTS", "noindex", False, guest)
    set_variable(live, "DOMAIN_REDIRECTS", "bakery.example,old-bakery.example", False, owner)
    add_release_command(
        application, "Migrate the database", "python manage.py migrate --noinput", owner
    )
    add_release_command(
        application, "Collect static files", "python manage.py collectstatic --noinput", owner
    )
    seed_domains(live, owner)
    seed_workers(live, owner)
    seed_cron(live, owner)
    seed_services(live, test, owner)
    seed_backups(live, test, owner)
    add_collaborator(application, guest.email, Access.VIEWER, owner)
    add_ssh_key(owner, "Laptop", KEY)
    create_access_token(owner, "Office computer", 90)
    only = application.organisation_id
    create_access_token(owner, "Build server", None, scope=Scope.DEPLOY, organisation_id=only)
    links = {"token_hash": hash_token(MAILED_TOKEN), "expires_at": now() + 2 * CLAIM_LASTS}
    db.session.add(PasswordReset(user_id=owner.id, **links))
    db.session.add(EmailChange(user_id=owner.id, email="mara@riverside.example", **links))
    for minute in range(240):
        second = f"{minute // 60:02d}:{minute % 60:02d}"
        log_store().runtime(live.uuid).append(
            f'[web-1] 203.0.113.{minute % 9} - "GET /{["", "menu/", "hours/"][minute % 3]} '
            f'HTTP/1.1" 200 {1800 + minute * 7} 08:{second}\n'
        )
