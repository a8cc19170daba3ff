"""What the steps of one deployment share: plain facts, the log, and what earlier steps made."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.adapters.engine import (
    LABEL_DEPLOYMENT,
    LABEL_ROLE,
    ContainerSpec,
    Limits,
    NetworkSpec,
)
from app.addons.collecting import Asked
from app.addons.contributions import Collected
from app.addons.in_commit import CommitFiles
from app.deployments.deployment_log import DeploymentLog
from app.deployments.labels import environment_labels
from app.deployments.models import Deployment, DeploymentKind, Release
from app.deployments.receipts import Measured, Prober
from app.environments.models import Environment
from app.extensions import db, now
from app.installation import Adapters, Installation
from app.logs.store import LogStore
from app.repositories.queries import load_repository
from app.routes.models import Endpoint
from app.routes.queries import load_feed
from app.runtime.processes import Process, read_processes
from app.runtime.queries import Configuration, resolve_configuration
from app.services.trust import trusted_files, trusting
from app.services.uses import ReleasedService, read_services

JOURNAL_PREFIX = "build-"
"""In front of a deployment's uuid: the file in which its build notes what it makes."""


@dataclass(frozen=True)
class Subject:
    """What is deployed, as plain facts that need no database."""

    deployment_id: int
    deployment_uuid: str
    kind: DeploymentKind
    environment_id: int
    environment_uuid: str
    environment_slug: str
    application_id: int
    application_slug: str
    repository_key: str
    commit: str
    is_live: bool
    installation_id: str
    network_pool: str
    """The region's, e.g. `10.213.0.0/16`."""


@dataclass
class Context:
    """Handed from step to step. What a step leaves for later ones stands below the line."""

    subject: Subject
    installation: Installation
    configuration: Configuration
    log: DeploymentLog
    cancelled: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    began_at: datetime.datetime = field(default_factory=now)
    # ---- left by steps
    files: CommitFiles | None = None
    asked: Asked = field(default_factory=Asked)
    additions: str = ""
    """What stands for all that the build context has beyond the commit."""
    build_id: int | None = None
    build_seconds: float = 0
    is_image_reused: bool = False
    image: str = ""
    image_tag: str = ""
    exposed_ports: tuple[int, ...] = ()
    release: RunnableRelease | None = None
    network: NetworkSpec | None = None
    instances: tuple[int, ...] = ()
    """Numbers of the services it uses."""
    extensions: dict[int, list[str]] = field(default_factory=dict)
    """Those that services which work lack, and are to have."""
    containers: tuple[ContainerSpec, ...] = ()
    workers: tuple[ContainerSpec, ...] = ()
    replaced: tuple[str, ...] = ()
    """Containers of the old release's processes."""
    troubled: dict[str, int | None] = field(default_factory=dict)
    """Exit codes of containers of processes that ended at once, as far as known."""
    feed_version: int = 0
    had_containers: bool = False
    retired: tuple[str, ...] = ()
    prober: Prober | None = None
    measured: Measured | None = None
    switched_at: datetime.datetime | None = None

    @property
    def adapters(self) -> Adapters:
        return self.installation.adapters

    @property
    def context_file(self) -> Path:
        """Where CheckOut puts the build context."""
        directory = self.installation.settings.data_dir / "tmp"
        return directory / f"context-{self.subject.deployment_uuid}.tar"

    @property
    def commit_files(self) -> CommitFiles:
        """Set by CollectContributions."""
        if self.files is None:
            raise RuntimeError("no step has read the commit yet")
        return self.files

    @property
    def collected(self) -> Collected:
        """What addons bring together."""
        return self.asked.collected

    @property
    def build_journal(self) -> Path:
        """Where the builder notes what it makes, in case this process is killed."""
        return self.context_file.with_name(f"{JOURNAL_PREFIX}{self.subject.deployment_uuid}")

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the new containers answer."""
        port = self.runnable.port
        return tuple((spec.address or "", port) for spec in self.containers)

    @property
    def runnable(self) -> RunnableRelease:
        """The release; set by WriteRelease, or from the start for a roll back."""
        if self.release is None:
            raise RuntimeError("no step has written the release yet")
        return self.release

    def labels(self, role: str) -> dict[str, str]:
        """Labels of everything this deployment makes in the engine."""
        return environment_labels(self.subject.installation_id, self.subject.environment_uuid) | {
            LABEL_DEPLOYMENT: self.subject.deployment_uuid,
            LABEL_ROLE: role,
        }


@dataclass(frozen=True)
class RunnableRelease:
    """A release as its containers are started from it: nothing else is consulted."""

    id: int
    image: str
    variables: dict[str, str]
    masked_values: tuple[str, ...]
    release_commands: tuple[tuple[str, str], ...]
    processes: tuple[Process, ...]
    services: tuple[ReleasedService, ...]
    port: int
    containers: int
    limits: Limits
    hosts: tuple[str, ...]
    redirects: tuple[tuple[str, str, int], ...]

    def container(
        self, name: str, network: str, labels: Mapping[str, str], command: tuple[str, ...] | None
    ) -> ContainerSpec:
        """A container of it, of whatever role: all see the same. No `command` is the image's."""
        certificates = [one.certificate for one in self.services]
        return ContainerSpec(
            name=name,
            image=self.image,
            labels=labels,
            network=network,
            limits=self.limits,
            command=command,
            environment=trusting(certificates) | self.variables,
            files=trusted_files(certificates),
        )

    @classmethod
    def of(cls, row: Release) -> RunnableRelease:
        """Read a row, decrypting its variables."""
        return cls(
            id=row.id,
            image=row.image,
            variables=row.variables,
            masked_values=tuple(row.masked_values),
            release_commands=tuple((label, command) for label, command in row.release_commands),
            processes=read_processes(row.processes),
            services=read_services(row.services),
            port=row.port,
            containers=row.containers,
            limits=Limits(**row.limits),
            hosts=tuple(row.hosts),
            redirects=tuple((host, target, status) for host, target, status in row.redirects),
        )


def load_context(deployment: Deployment, installation: Installation, logs: LogStore) -> Context:
    """The context at the start, or for a recovery."""
    environment: Environment = deployment.environment
    configuration = resolve_configuration(environment)
    row = db.session.get(Release, deployment.release_id) if deployment.release_id else None
    release = RunnableRelease.of(row) if row else None
    secrets = [*configuration.secrets, *(release.masked_values if release else ())]
    subject = Subject(
        deployment_id=deployment.id,
        deployment_uuid=deployment.uuid,
        kind=deployment.kind,
        environment_id=environment.id,
        environment_uuid=environment.uuid,
        environment_slug=environment.slug,
        application_id=environment.application_id,
        application_slug=environment.application.slug,
        repository_key=load_repository(environment.application_id).uuid,
        commit=deployment.commit,
        is_live=environment.is_live,
        installation_id=load_feed().epoch,
        network_pool=environment.region.network_pool,
    )
    return Context(
        subject=subject,
        installation=installation,
        configuration=configuration,
        log=DeploymentLog(logs.deployment(deployment.uuid), secrets),
        release=release,
        image=release.image if release else "",
    )
