"""Many applications and 100,000 deployments, written straight into the rooms' tables."""

from __future__ import annotations

import datetime
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from app.accounts.models import User
from app.applications.models import Application, Starter
from app.audit.models import AuditLine
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
from app.deployments.pipeline import DEPLOY
from app.domains.models import Domain, DomainKind
from app.domains.operations import platform_host
from app.environments.models import Environment
from app.extensions import Base, db, now
from app.organisations.models import Member, Organisation
from app.permissions import Role
from app.plans.operations import subscribe
from app.regions.models import Region
from app.repositories.models import Repository, TrackedBranch

Rows = list[dict[str, Any]]
WORDS = (
    "alder birch cedar elm fir hazel larch linden maple oak pine rowan spruce willow yew".split()
)
SUBJECTS = "Fix the menu|Update texts|New pictures|Raise versions|Add a form|Tidy the style".split(
    "|"
)
STEPS_FOR = 10
"""Steps are written for the newest deployments of each environment; more are never read."""
RELEASES_FOR = 12
"""Releases likewise: a page lists ten."""
WAITING, RUNNING, FAILED = 8, 1, 5
"""Environments in which commits wait, a deployment runs, or the newest one failed: as many at every
size, so that a filter's page differs by what is searched, not by how much it shows."""
AUDIT_LINES, MEMBERS = 20_000, 60
FAILURES = 0.05
"""The share of older deployments that failed."""


@dataclass
class Filler:
    """Adds `applications` with Test and Live to one organisation. Open a unit of work around it."""

    organisation: Organisation
    actor_id: int
    applications: int
    deployments: int
    dice: random.Random = field(default_factory=lambda: random.Random(4))
    began: datetime.datetime = field(default_factory=lambda: now() - datetime.timedelta(days=700))

    def fill(self) -> None:
        """All of it. Numbers and names are the same on each run."""
        self._add_applications()
        environments = self._add_environments()
        self._add_history(environments)
        self._add_acts()
        db.session.flush()

    def _add_acts(self) -> None:
        """What is long in an old organisation whatever the number of its sites."""
        _add(AuditLine, [self._act(number) for number in range(AUDIT_LINES)])
        people: Rows = [
            {
                "email": f"person{number}@example.com",
                "name": f"Person {number}",
                "password_hash": "",
            }
            for number in range(MEMBERS)
        ]
        _add(User, people)
        found = db.session.scalars(select(User.id).where(User.email.like("person%")))
        _add(
            Member,
            [
                {"organisation_id": self.organisation.id, "user_id": number, "role": Role.REGULAR}
                for number in found
            ],
        )

    def _act(self, number: int) -> dict[str, Any]:
        return {
            "actor_id": self.actor_id,
            "actor_name": "Alice",
            "action": self.dice.choice(("variable.set", "deployment.request", "member.role")),
            "organisation_id": self.organisation.id,
            "subject": f"site-{number % 50}/live",
            "details": {"name": "COLOUR", "before": "red", "after": "blue"},
            "address": "192.0.2.1",
            "created_at": self.began + datetime.timedelta(minutes=number),
        }

    def _add_applications(self) -> None:
        names = (f"{a} {b} {c}" for a, b, c in itertools.product(WORDS, repeat=3))
        rows = [
            {
                "organisation_id": self.organisation.id,
                "name": name.title(),
                "slug": name.replace(" ", "-"),
                "starter": Starter.STATIC,
            }
            for name in itertools.islice(names, self.applications)
        ]
        db.session.execute(insert(Application), rows)

    def _add_environments(self) -> list[int]:
        """Environments with domain, branch, repository and plan; the numbers of all there are."""
        region = db.session.scalars(select(Region)).one()
        bare = db.session.execute(
            select(Application.id, Application.slug).where(
                Application.id.not_in(select(Environment.application_id))
            )
        ).all()
        environments: Rows = [
            {"application_id": number, "region_id": region.id, "slug": kind, "name": kind.title()}
            for number, _ in bare
            for kind in ("test", "live")
        ]
        db.session.execute(insert(Environment), environments)
        db.session.execute(insert(Repository), [{"application_id": number} for number, _ in bare])
        for number, _ in bare:
            subscribe(number)
        slugs = dict(bare)
        made = db.session.execute(
            select(Environment.id, Environment.slug, Environment.application_id).where(
                Environment.id.not_in(select(Domain.environment_id))
            )
        ).all()
        domains: Rows = [
            {
                "environment_id": row.id,
                "host": platform_host(slugs[row.application_id], row.slug, "localhost"),
                "kind": DomainKind.PLATFORM,
                "proved_at": now(),
            }
            for row in made
        ]
        db.session.execute(insert(Domain), domains)
        branches = [self._branch(row.id, place < WAITING) for place, row in enumerate(made)]
        db.session.execute(insert(TrackedBranch), branches)
        return list(db.session.scalars(select(Environment.id)))

    def _branch(self, environment_id: int, waits: bool) -> dict[str, Any]:
        return {
            "environment_id": environment_id,
            "head": self._sha(),
            "subject": self.dice.choice(SUBJECTS),
            "author": "Alice",
            "committed_at": now(),
            "deployed": self._sha(),
            "waiting": self.dice.randint(1, 9) if waits else 0,
        }

    def _sha(self) -> str:
        return f"{self.dice.getrandbits(160):040x}"

    def _add_history(self, environments: list[int]) -> None:
        """Deployments in turn over all environments, so that numbers lie as they would in life."""
        rounds = -(-self.deployments // len(environments))
        order = [number for _ in range(rounds) for number in environments][: self.deployments]
        states = [DeploymentStatus.SUCCEEDED] * (len(environments) - FAILED - RUNNING)
        states += [DeploymentStatus.FAILED] * FAILED + [DeploymentStatus.RUNNING] * RUNNING
        first = len(order) - len(environments)
        rows = [
            self._deployment(number, place, states[place - first] if place >= first else None)
            for place, number in enumerate(order)
        ]
        _add(Deployment, rows)
        newest = self._newest_of_each()
        self._add_releases(newest)
        self._add_steps(newest)

    def _deployment(
        self, environment_id: int, place: int, status: DeploymentStatus | None
    ) -> dict[str, Any]:
        begun = self.began + datetime.timedelta(minutes=10 * place)
        if status is None:
            failed = self.dice.random() < FAILURES
            status = DeploymentStatus.FAILED if failed else DeploymentStatus.SUCCEEDED
        ended = begun + datetime.timedelta(seconds=self.dice.uniform(5, 90))
        return {
            "uuid": str(UUID(int=self.dice.getrandbits(128), version=4)),
            "environment_id": environment_id,
            "actor_id": self.actor_id,
            "kind": DeploymentKind.DEPLOY,
            "status": status,
            "commit": self._sha(),
            "subject": self.dice.choice(SUBJECTS),
            "created_at": begun,
            "started_at": begun,
            "ended_at": ended if status.is_final else None,
            "heartbeat_at": now(),
        }

    def _newest_of_each(self) -> dict[int, list[Any]]:
        """The newest deployments by environment, oldest first."""
        rows = db.session.execute(
            select(
                Deployment.id,
                Deployment.environment_id,
                Deployment.status,
                Deployment.commit,
                Deployment.started_at,
                Environment.application_id,
            )
            .join(Environment)
            .order_by(Deployment.id)
        )
        newest: dict[int, list[Any]] = {}
        for row in rows:
            newest.setdefault(row.environment_id, []).append(row)
        return {number: found[-RELEASES_FOR:] for number, found in newest.items()}

    def _add_releases(self, newest: dict[int, list[Any]]) -> None:
        served = [
            (number, row)
            for rows in newest.values()
            for number, row in enumerate(rows, 1)
            if row.status == DeploymentStatus.SUCCEEDED
        ]
        _add(Build, [_build(row) for _, row in served])
        builds = dict(db.session.execute(select(Build.commit, Build.id)).all())
        _add(Release, [_release(number, row, builds[row.commit]) for number, row in served])
        releases = dict(db.session.execute(select(Release.commit, Release.id)).all())
        _add(
            Deployment,
            [{"id": row.id, "release_id": releases[row.commit]} for _, row in served],
        )
        current = {row.environment_id: row for _, row in served}
        _add(
            CurrentRelease,
            [
                {
                    "environment_id": number,
                    "release_id": releases[row.commit],
                    "deployment_id": row.id,
                }
                for number, row in current.items()
            ],
        )

    def _add_steps(self, newest: dict[int, list[Any]]) -> None:
        _add(DeploymentStep, [step for rows in newest.values() for step in _steps(rows)])
        receipts = [_receipt(rows[-1]) for rows in newest.values()]
        _add(Receipt, receipts)


def _add(model: type[Base], rows: Rows) -> None:
    """Insert, or update where the rows have an `id`; in portions, so that memory stays small."""
    is_update = bool(rows) and "id" in rows[0]
    for start in range(0, len(rows), 10_000):
        portion = rows[start : start + 10_000]
        if is_update:
            db.session.bulk_update_mappings(model, portion)
        else:
            db.session.execute(insert(model), portion)


def _build(row: Any) -> dict[str, Any]:
    return {
        "application_id": row.application_id,
        "environment_id": row.environment_id,
        "commit": row.commit,
        "image": f"sha256:{row.commit}",
        "tag": f"moonbase-site/x:{row.commit[:12]}-{row.id}",
        "exposed_ports": [80],
        "seconds": 3.5,
    }


def _release(number: int, row: Any, build_id: int) -> dict[str, Any]:
    return {
        "environment_id": row.environment_id,
        "build_id": build_id,
        "number": number,
        "commit": row.commit,
        "image": f"sha256:{row.commit}",
        "encrypted_variables": '{"PORT": "80", "SECRET_KEY": "of this site"}',
        "secrets": '["of this site"]',
        "port": 80,
        "containers": 1,
        "limits": {"memory_bytes": 2**30, "cpus": 1.0, "pids": 256},
    }


def _steps(rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in rows[-STEPS_FOR:]:
        for number, step in enumerate(DEPLOY):
            begun = row.started_at + datetime.timedelta(seconds=number)
            yield {
                "deployment_id": row.id,
                "name": step.name,
                "status": StepStatus.SUCCEEDED,
                "started_at": begun,
                "ended_at": begun + datetime.timedelta(seconds=1),
            }


def _receipt(row: Any) -> dict[str, Any]:
    return {
        "deployment_id": row.id,
        "sent": 90,
        "failed": 0,
        "p95_ms": 4.0,
        "longest_gap_ms": 60.0,
        "switched_at": row.started_at,
    }
