"""One application, steered by its owner at the panel's pages; states are looked up in its rows."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from app.adapters.services import ServiceKind
from app.backups import queries as backups
from app.backups.models import WorkStatus
from app.cron.models import CronRun
from app.deployments.models import DeploymentStatus
from app.extensions import db
from app.services.models import ServiceInstance, ServiceServer, ServiceState
from app.services.queries import list_all_instances
from tests.flows.running_panel import RunningPanel, wait_for
from tests.flows.signed_in import SignedIn

DATABASE, MEDIA = ServiceKind.POSTGRESQL, ServiceKind.OBJECT_STORAGE


@dataclass(frozen=True)
class Instance:
    """A service as its row stood."""

    uuid: str
    state: ServiceState
    sentence: str
    is_trashed: bool


@dataclass
class Steered:
    """`started` is when the story began; `say` notes how long each chapter took."""

    panel: RunningPanel
    person: SignedIn
    slug: str
    started: float = 0.0

    # ---- the site

    def ask(self, environment: str, path: str, method: str = "GET") -> Any:
        """JSON that the site answers through the ingress; fails unless it is well."""
        answer = requests.request(
            method,
            f"http://127.0.0.1:{self.panel.settings.sites_port}{path}",
            headers={"Host": self.panel.host(self.slug, environment)},
            timeout=60,
        )
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        return json.loads(answer.text)

    def fetch_media(self, url: str) -> requests.Response:
        """A public address of media, asked of the ingress as a browser would."""
        parts = requests.models.PreparedRequest()
        parts.prepare_url(url, None)
        host, _, path = (parts.url or "").partition("://")[2].partition("/")
        address = f"http://127.0.0.1:{self.panel.settings.sites_port}/{path}"
        return requests.get(address, headers={"Host": host.partition(":")[0]}, timeout=30)

    # ---- pages

    def base(self, environment: str) -> str:
        return f"/applications/{self.slug}/environments/{environment}"

    def add_service(
        self, environment: str, kind: ServiceKind, version: str = "", prefix: str = "DEFAULT"
    ) -> str:
        """By the page; returns its uuid."""
        base = self.base(environment)
        offer = self._offer(kind, version)
        self.person.post(f"{base}/services/", server=offer, prefix=prefix)
        return self.instance(environment, kind, prefix).uuid

    def do(self, environment: str, uuid: str, act: str, **fields: object) -> None:
        """Press a button of a service."""
        self.person.post(f"{self.base(environment)}/services/{uuid}/{act}/", **fields)

    def request(self, environment: str) -> str:
        """Press Deploy; returns the deployment's uuid."""
        return self.person.post(f"{self.base(environment)}/deploy/").rstrip("/").rpartition("/")[2]

    def settle(self, deployment: str) -> str:
        """Wait for a deployment, which must succeed; returns its log."""
        done = self.panel.wait(deployment, 240)
        log = self.panel.log(deployment)
        assert done.status == DeploymentStatus.SUCCEEDED, log
        return log

    def deploy(self, environment: str) -> str:
        return self.settle(self.request(environment))

    def take_backup(self, environment: str, note: str) -> str:
        """By the page; returns its uuid once it is whole."""
        base = f"{self.base(environment)}/backups/"
        self.person.post(base, contents="both", note=note)
        uuid, status, sentence = self.wait_backed_up(environment)
        assert status == WorkStatus.SUCCEEDED, sentence
        assert note in self.person.get(base)
        return uuid

    def wait_backed_up(self, environment: str) -> tuple[str, WorkStatus, str]:
        """The newest backup as it ended: its uuid, how, and what it says of it."""
        wait_for(lambda: self._newest(environment)[1].is_final, 60, "the backup does not end")
        return self._newest(environment)

    def restore(self, source: str, backup: str, target: str) -> None:
        """All of a backup into an environment, by the pages; waits until it is there."""
        path = f"{self.base(source)}/backups/{backup}/restore/"
        environment = self._environment(target)
        assert environment[0] in self.person.get(path)
        self.person.post(f"{path}all/{environment[0]}/", contents="both", name=environment[1])
        self._wait_restored(target, 2)

    def restore_database(self, source: str, backup: str, target: str, service: str) -> None:
        """The part of the database “DEFAULT” into one service, by the pages."""
        with self.panel.app.app_context():
            found = backups.find_backup(self._id(source), backup)
            assert found
            databases = {row.prefix: row.uuid for row in found.parts if row.kind == DATABASE}
            part = databases["DEFAULT"]
            name = self._environment(target)[1]
            db.session.remove()
        path = f"{self.base(source)}/backups/{backup}/restore/parts/{part}/{service}/"
        self.person.post(path, name=name)
        self._wait_restored(target, 1)

    def run_cron_job(self, environment: str) -> tuple[str, str]:
        """Press “Run now” of the only job; returns how the run ended, and its page."""
        base = f"{self.base(environment)}/cron-jobs/"
        with self.panel.app.app_context():
            from app.cron.queries import released_jobs

            (job,) = released_jobs(self._id(environment))[1]
            db.session.remove()
        path = self.person.post(f"{base}{job.uuid}/run/")
        uuid = path.rstrip("/").rpartition("/")[2]
        wait_for(lambda: self._run(uuid).status.is_final, 30, "the run does not end")
        page = self.person.get(path.removeprefix(self.person.url))
        assert uuid in self.person.get(f"{base}{job.uuid}/")
        return self._run(uuid).status.value, page

    # ---- rows

    def instance(self, environment: str, kind: ServiceKind, prefix: str = "DEFAULT") -> Instance:
        found = self.instances(environment).get((kind, prefix))
        assert found, f"no {kind} {prefix} in {environment}"
        return found

    def instances(self, environment: str) -> dict[tuple[ServiceKind, str], Instance]:
        """All there are, the trash included."""
        with self.panel.app.app_context():
            rows = list_all_instances([self._id(environment)])
            found = {
                (row.kind, row.prefix): Instance(
                    row.uuid, row.state, row.sentence, row.trashed_at is not None
                )
                for row in rows
            }
            db.session.remove()
            return found

    def facts(self, environment: str, kind: ServiceKind, prefix: str = "DEFAULT") -> dict[str, str]:
        """What provisioning made, with its secrets."""
        with self.panel.app.app_context():
            rows = db.session.scalars(
                db.select(ServiceInstance).where(
                    ServiceInstance.environment_id == self._id(environment),
                    ServiceInstance.kind == kind,
                    ServiceInstance.prefix == prefix,
                )
            )
            found = {**rows.one().facts}
            db.session.remove()
            return found

    def server(self, environment: str, kind: ServiceKind, prefix: str = "DEFAULT") -> str:
        """The container of an instance's server."""
        uuid = self.instance(environment, kind, prefix).uuid
        with self.panel.app.app_context():
            query = db.select(ServiceInstance).where(ServiceInstance.uuid == uuid)
            found = f"moonbase-service-{db.session.scalars(query).one().server.uuid}"
            db.session.remove()
            return found

    def wait_provisioned(self, environment: str, kind: ServiceKind, prefix: str) -> None:
        def is_there() -> bool:
            row = self.instance(environment, kind, prefix)
            assert row.state != ServiceState.FAILED, row.sentence
            return row.state == ServiceState.PENDING_ATTACHMENT

        wait_for(is_there, 90, f"{kind} is not provisioned")

    def say(self, chapter: str) -> None:
        """For whoever reads the output (`-s`): how long it took so far."""
        print(f"{time.monotonic() - self.started:6.1f} s  {chapter}")

    def _wait_restored(self, target: str, count: int) -> None:
        """The newest `count` restorations have ended well, each with a safety backup."""

        def look() -> list[tuple[WorkStatus, str, WorkStatus | None]]:
            with self.panel.app.app_context():
                query = backups.list_restorations(self._id(target)).limit(count)
                found = [
                    (
                        row.status,
                        row.sentence,
                        row.safety_backup.status if row.safety_backup else None,
                    )
                    for row in db.session.scalars(query)
                ]
                db.session.remove()
                return found

        wait_for(lambda: all(row[0].is_final for row in look()), 90, "the restore does not end")
        found = look()
        good = (WorkStatus.SUCCEEDED, "", WorkStatus.SUCCEEDED)
        assert len(found) == count and all(row == good for row in found), found

    def _newest(self, environment: str) -> tuple[str, WorkStatus, str]:
        with self.panel.app.app_context():
            row = db.session.scalars(backups.list_backups(self._id(environment)).limit(1)).one()
            sentences = [row.sentence, *(part.sentence for part in row.parts)]
            found = row.uuid, row.status, " ".join(sentences)
            db.session.remove()
            return found

    def _run(self, uuid: str) -> CronRun:
        with self.panel.app.app_context():
            row: CronRun = db.session.scalars(db.select(CronRun).where(CronRun.uuid == uuid)).one()
            db.session.remove()
            return row

    def _offer(self, kind: ServiceKind, version: str) -> str:
        with self.panel.app.app_context():
            rows = db.session.scalars(
                db.select(ServiceServer)
                .where(ServiceServer.kind == kind, ServiceServer.is_on_offer)
                .order_by(ServiceServer.id)
            ).all()
            found = [row.uuid for row in rows if version in ("", row.version)]
            db.session.remove()
            return str(found[0])

    def _id(self, environment: str) -> int:
        return int(self.panel._environment(self.slug, environment).id)

    def _environment(self, environment: str) -> tuple[str, str]:
        """uuid and name"""
        with self.panel.app.app_context():
            row = self.panel._environment(self.slug, environment)
            found = row.uuid, row.name
            db.session.remove()
            return found


def steer(panel: RunningPanel, slug: str) -> Steered:
    """A new application, made at the page by the owner of the organisation."""
    person = SignedIn(panel)
    with panel.app.app_context():
        from app.accounts.queries import find_user
        from app.organisations.queries import list_organisations
        from tests.flows.running_panel import OWNER

        owner = find_user(OWNER)
        assert owner
        organisation = list_organisations(owner)[0].slug
        db.session.remove()
    person.post(
        "/applications/new/", name=slug, slug=slug, organisation=organisation, starter="blank"
    )
    return Steered(panel, person, slug, time.monotonic())


def share_packages(panel: RunningPanel, package_cache: Path) -> None:
    """Have the panel's workers make images of services from packages that are kept between runs."""
    folder = panel.settings.data_dir / "cache"
    if not (folder / "base_images").exists():
        folder.mkdir(exist_ok=True)
        package_cache.mkdir(exist_ok=True)
        (folder / "base_images").symlink_to(package_cache)
