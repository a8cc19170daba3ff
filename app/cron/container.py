"""The container of a run: everything it is started from, as plain facts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from app.adapters.engine import LABEL_ROLE, ContainerSpec, NetworkSpec
from app.cron.models import CronRun
from app.deployments.labels import ROLE_CRON, environment_labels
from app.deployments.models import Release
from app.deployments.networks import network_spec
from app.deployments.pipeline.context import RunnableRelease
from app.environments.models import Environment
from app.errors import Unavailable
from app.extensions import db
from app.regions.queries import find_subnet
from app.routes.queries import load_feed

NAME_PREFIX = "moonbase-cron-"


@dataclass(frozen=True)
class RunFacts:
    """A run that needs no database. `masked_values` are what its output may not show."""

    id: int
    uuid: str
    environment_uuid: str
    timeout_seconds: int
    spec: ContainerSpec
    network: NetworkSpec
    masked_values: tuple[str, ...]


def load_facts(run_id: int) -> RunFacts | None:
    """Of a row; None when it is gone with its environment. Raises `Unavailable` when the
    environment has no network, and what opening its variables raises."""
    row = db.session.get(CronRun, run_id)
    if row is None:
        return None
    environment = db.session.get_one(Environment, row.environment_id)
    subnet = find_subnet(environment.id)
    if subnet is None:
        raise Unavailable("The environment has no network yet. Deploy it first.")
    release = RunnableRelease.of(db.session.get_one(Release, row.release_id))
    epoch = load_feed().epoch
    network = network_spec(epoch, environment.uuid, subnet.cidr)
    spec = release.container(
        name=name_of(row.uuid),
        network=network.name,
        labels=environment_labels(epoch, environment.uuid) | {LABEL_ROLE: ROLE_CRON},
        command=tuple(shlex.split(row.command)),
    )
    return RunFacts(
        id=row.id,
        uuid=row.uuid,
        environment_uuid=environment.uuid,
        timeout_seconds=row.timeout_seconds,
        spec=spec,
        network=network,
        masked_values=release.masked_values,
    )


def name_of(run_uuid: str) -> str:
    """The row says how the container is named, so that it is found again by it."""
    return f"{NAME_PREFIX}{run_uuid}"
