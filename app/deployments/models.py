"""A deployment, what it built, what it released, and the containers that run of it."""

from __future__ import annotations

import datetime
import json
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.environments.models import Environment
from app.extensions import Base, Numbered, Outside
from app.keyrings import Encrypted


class DeploymentKind(StrEnum):
    """A new image from a commit, or the image of an older release once more."""

    DEPLOY = "deploy"
    ROLL_BACK = "roll_back"


class DeploymentStatus(StrEnum):
    """Where a deployment stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (DeploymentStatus.QUEUED, DeploymentStatus.RUNNING)


class StepStatus(StrEnum):
    """Where one step of a deployment stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Deployment(Numbered, Outside, Base):
    """One run of the pipeline on one environment."""

    __tablename__ = "deployments"
    __table_args__ = (
        Index("ix_deployments_environment_id_id", "environment_id", "id"),
        Index(
            "uq_deployments_one_running",
            "environment_id",
            unique=True,
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "uq_deployments_one_queued",
            "environment_id",
            unique=True,
            sqlite_where=text("status = 'queued'"),
            postgresql_where=text("status = 'queued'"),
        ),
        Index("ix_deployments_status", "status"),
    )

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[DeploymentKind]
    status: Mapped[DeploymentStatus] = mapped_column(default=DeploymentStatus.QUEUED)
    commit: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id", ondelete="SET NULL"))
    """What it releases: written by the pipeline, or for a roll back the older one chosen."""
    previous_commit: Mapped[str | None]
    """What ran when this one began, to show what changed."""
    started_at: Mapped[datetime.datetime | None]
    ended_at: Mapped[datetime.datetime | None]
    lease_token: Mapped[str | None]
    """Whoever holds the lease may write; a recovery takes it away from a lost worker."""
    heartbeat_at: Mapped[datetime.datetime | None]
    cancel_requested_at: Mapped[datetime.datetime | None]
    sentence: Mapped[str] = mapped_column(default="")
    """Why it failed, in plain words."""
    advice: Mapped[str] = mapped_column(default="")
    warning: Mapped[str] = mapped_column(default="")
    """What does not run as it should although it succeeded."""

    environment: Mapped[Environment] = relationship()
    actor: Mapped[User | None] = relationship()
    steps: Mapped[list[DeploymentStep]] = relationship(
        back_populates="deployment", cascade="all, delete-orphan", order_by="DeploymentStep.id"
    )
    receipt: Mapped[Receipt | None] = relationship(back_populates="deployment", uselist=False)

    @property
    def seconds(self) -> float | None:
        """How long it took, or None while it has not ended."""
        if self.started_at and self.ended_at:
            return (self.ended_at - self.started_at).total_seconds()
        return None


class DeploymentStep(Numbered, Base):
    """One step of a deployment, as it went."""

    __tablename__ = "deployment_steps"

    deployment_id: Mapped[int] = mapped_column(
        ForeignKey("deployments.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    status: Mapped[StepStatus] = mapped_column(default=StepStatus.RUNNING)
    started_at: Mapped[datetime.datetime]
    ended_at: Mapped[datetime.datetime | None]

    deployment: Mapped[Deployment] = relationship(back_populates="steps")

    @property
    def seconds(self) -> float | None:
        if self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class Build(Numbered, Base):
    """An image made from one commit. Live re-uses it when Test built that commit (C6)."""

    __tablename__ = "builds"
    __table_args__ = (Index("ix_builds_application_id_commit", "application_id", "commit"),)

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    environment_id: Mapped[int | None] = mapped_column(
        ForeignKey("environments.id", ondelete="SET NULL")
    )
    commit: Mapped[str]
    additions: Mapped[str] = mapped_column(default="")
    """SHA-256 of what the build context had beyond the commit: sections and packages of addons.
    Another Moonbase, or another environment, may make other ones of the same commit."""
    image: Mapped[str]
    """The image's digest, `sha256:…`."""
    tag: Mapped[str]
    exposed_ports: Mapped[list[int]] = mapped_column(JSON, default=list)
    seconds: Mapped[float]
    removed_at: Mapped[datetime.datetime | None]


class Release(Numbered, Outside, Base):
    """What runs, fixed for good: every container of the environment starts from this row, never
    from what the forms say now. Nothing changes it but clean-up noting that its image is gone."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("environment_id", "number"),)

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id"))
    number: Mapped[int]
    commit: Mapped[str]
    image: Mapped[str]
    encrypted_variables: Mapped[str] = mapped_column(Encrypted)
    secrets: Mapped[str] = mapped_column(Encrypted)
    """The values to mask in every log of its containers, as a JSON list."""
    release_commands: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    port: Mapped[int]
    containers: Mapped[int]
    limits: Mapped[dict[str, Any]] = mapped_column(JSON)
    hosts: Mapped[list[str]] = mapped_column(JSON, default=list)
    redirects: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    """Host, target host and status of each redirect that the platform answers."""
    contributions: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What addons brought besides variables and commands: `addons` (package name to version),
    `services`, `processes`, `navigation`, as `app.addons.contributions` writes them."""

    services: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The instances it uses: `uuid`, `kind`, `prefix`, `variables` (names)."""
    processes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What runs beside the web server: `name`, `command`, `count`, `addon`."""
    cron_jobs: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """`uuid`, `label`, `command`, `schedule`, `zone`, `timeout_seconds`, `overlap`,
    `repeats_lost`."""

    build: Mapped[Build] = relationship()
    environment: Mapped[Environment] = relationship()

    @property
    def variables(self) -> dict[str, str]:
        """The resolved variables its containers get."""
        found: dict[str, str] = json.loads(self.encrypted_variables)
        return found

    @property
    def masked_values(self) -> list[str]:
        found: list[str] = json.loads(self.secrets)
        return found


class CurrentRelease(Numbered, Base):
    """Which release an environment runs."""

    __tablename__ = "current_releases"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))

    environment: Mapped[Environment] = relationship()
    release: Mapped[Release] = relationship()
    deployment: Mapped[Deployment] = relationship()


class Container(Numbered, Base):
    """A web container that should run. The row comes before the container and goes after it, so
    that a lost worker leaves nothing that nobody knows of."""

    __tablename__ = "containers"
    __table_args__ = (UniqueConstraint("environment_id", "address"),)

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    deployment_id: Mapped[int] = mapped_column(
        ForeignKey("deployments.id", ondelete="CASCADE"), index=True
    )
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    name: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]
    """Fixed within the environment's subnet, so that it outlives a restart of the engine."""
    port: Mapped[int]

    release: Mapped[Release] = relationship()


class WorkerContainer(Numbered, Base):
    """A container of a process beside the web server that should run once its deployment serves.
    Like `Container` it comes before what it stands for. The engine gives the address."""

    __tablename__ = "worker_containers"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    deployment_id: Mapped[int] = mapped_column(
        ForeignKey("deployments.id", ondelete="CASCADE"), index=True
    )
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    name: Mapped[str] = mapped_column(unique=True)
    process: Mapped[str]
    is_running: Mapped[bool] = mapped_column(default=False)
    """This and the next three: as the observer saw it last."""
    restarts: Mapped[int] = mapped_column(default=0)
    exit_code: Mapped[int | None]
    """Of its last end."""
    ended_at: Mapped[datetime.datetime | None]
    restart_asked_at: Mapped[datetime.datetime | None]
    """A person wants it anew; None once that is done."""

    release: Mapped[Release] = relationship()


class Receipt(Numbered, Base):
    """What a prober outside saw while traffic was switched (N1). Times in milliseconds."""

    __tablename__ = "receipts"

    deployment_id: Mapped[int] = mapped_column(
        ForeignKey("deployments.id", ondelete="CASCADE"), unique=True
    )
    sent: Mapped[int]
    failed: Mapped[int]
    p95_ms: Mapped[float]
    longest_gap_ms: Mapped[float]
    switched_at: Mapped[datetime.datetime | None]
    failures: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)

    deployment: Mapped[Deployment] = relationship(back_populates="receipt")
