"""Comparing what should run with what runs, and mending the difference."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import not_, select

from app.adapters.engine import (
    LABEL_DEPLOYMENT,
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_ROLE,
    LABEL_SERVICE,
    ContainerSpec,
    ContainerState,
    NetworkSpec,
)
from app.deployments import queries
from app.deployments.labels import (
    ROLE_CRON,
    ROLE_NETWORK,
    ROLE_WEB,
    ROLE_WORKER,
    environment_labels,
)
from app.deployments.models import Container, CurrentRelease, Deployment, WorkerContainer
from app.deployments.networks import network_spec
from app.deployments.pipeline.context import RunnableRelease
from app.deployments.pipeline.replace_processes import worker_container
from app.deployments.pipeline.start_containers import web_container
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.errors import PanelError
from app.extensions import db
from app.installation import Installation, alone_with
from app.regions.queries import find_subnet
from app.routes.queries import load_feed
from app.services.provisioning import network_name

logger = logging.getLogger(__name__)

STOPPED_AT_ONCE = 8
SHARED_NETWORKS = ("moonbase-build-", "moonbase-services-")
"""Beginnings of names of networks that belong to no environment."""


@dataclass(frozen=True)
class Wanted:
    """One container that should run, and the network it is in."""

    spec: ContainerSpec
    network: NetworkSpec


@dataclass(frozen=True)
class Mended:
    """Names of what was brought back, and of what nobody owned any more."""

    started: tuple[str, ...]
    removed: tuple[str, ...]


def reconcile(installation: Installation) -> Mended:
    """Start what is missing of the current releases; remove labelled containers of no release.

    Environments with a running deployment are left to it, containers that crash to the engine.
    Routes need no mending: addresses are fixed in the rows. Does nothing while another process
    reconciles: two would replace each other's containers.
    """
    with alone_with("reconcile", waits=False) as is_alone:
        return _reconcile(installation) if is_alone else Mended((), ())


def _reconcile(installation: Installation) -> Mended:
    engine = installation.adapters.engine
    epoch = load_feed().epoch
    busy = busy_environments()
    wanted = [*_wanted_containers(epoch, busy), *wanted_workers(epoch, busy)]
    db.session.rollback()
    ours = {LABEL_INSTALLATION: epoch}
    present = {
        state.name: state
        for state in engine.list_containers(ours)
        if LABEL_SERVICE not in state.labels  # servers of many sites: their room looks after them
    }
    names = {item.spec.name for item in wanted}
    surplus = [
        state.name
        for state in present.values()
        if state.name not in names and _is_nobodys(state, busy)
    ]
    # Processes first: an old one and its successor never run at once.
    workers = [name for name in surplus if present[name].labels.get(LABEL_ROLE) == ROLE_WORKER]
    _stop(installation, [name for name in workers if present[name].running])
    for name in workers:
        engine.remove_container(name)
    started = [
        item.spec.name
        for item in wanted
        if not is_up(present.get(item.spec.name)) and _start(installation, item)
    ]
    others = [name for name in surplus if name not in workers]
    _stop(installation, _trashed([present[name] for name in others]))
    for name in others:
        engine.remove_container(name)
    # The engine first: an environment is a row long before its network is made.
    networks = engine.list_networks({**ours, LABEL_ROLE: ROLE_NETWORK})
    known = {network_name(uuid) for uuid in db.session.scalars(select(Environment.uuid))}
    db.session.rollback()
    for network in networks:
        if network not in known and not network.startswith(SHARED_NETWORKS):
            engine.remove_network(network)
    if started or surplus:
        logger.warning("brought back %s, removed %s", started, surplus)
    return Mended(tuple(started), tuple(surplus))


def _trashed(surplus: list[ContainerState]) -> list[str]:
    """Running ones of sites in the trash: they get a polite end. What a lost worker left is
    nobody's and is not waited for."""
    trashed = set(db.session.scalars(select(Environment.uuid).where(not_(is_in_use()))))
    db.session.rollback()
    return [
        state.name
        for state in surplus
        if state.running and state.labels.get(LABEL_ENVIRONMENT) in trashed
    ]


def _stop(installation: Installation, names: list[str]) -> None:
    """Politely, many at once."""
    grace = int(installation.settings.times.stop_grace)

    def stop(name: str) -> None:
        try:
            installation.adapters.engine.stop_container(name, grace)
        except PanelError as error:
            logger.warning("%s could not be stopped politely: %s", name, error.sentence)

    with ThreadPoolExecutor(max_workers=STOPPED_AT_ONCE) as pool:
        list(pool.map(stop, names))


def busy_environments() -> set[str]:
    """Environments (uuid) in which a deployment runs or begins."""
    return set(
        db.session.scalars(
            select(Environment.uuid)
            .join(Deployment, Deployment.environment_id == Environment.id)
            .where(Deployment.status.in_(queries.ACTIVE))
        )
    )


def _wanted_containers(epoch: str, busy: set[str]) -> list[Wanted]:
    rows = db.session.execute(
        select(Container, Environment, Deployment.uuid)
        .join(CurrentRelease, CurrentRelease.deployment_id == Container.deployment_id)
        .join(Environment, Environment.id == Container.environment_id)
        .join(Deployment, Deployment.id == Container.deployment_id)
        .where(is_in_use())
    )
    wanted = []
    for row, environment, deployment_uuid in rows:
        subnet = find_subnet(environment.id)
        if environment.uuid in busy or subnet is None:
            continue
        network = network_spec(epoch, environment.uuid, subnet.cidr)
        labels = environment_labels(epoch, environment.uuid) | {
            LABEL_DEPLOYMENT: deployment_uuid,
            LABEL_ROLE: ROLE_WEB,
        }
        release = RunnableRelease.of(row.release)
        wanted.append(Wanted(web_container(row, release, network.name, labels), network))
    return wanted


def wanted_workers(epoch: str, busy: set[str], environment_id: int | None = None) -> list[Wanted]:
    """Containers of processes of the current releases; of one environment only if it is given."""
    query = (
        select(WorkerContainer, Environment, Deployment.uuid)
        .join(CurrentRelease, CurrentRelease.deployment_id == WorkerContainer.deployment_id)
        .join(Environment, Environment.id == WorkerContainer.environment_id)
        .join(Deployment, Deployment.id == WorkerContainer.deployment_id)
        .where(is_in_use())
    )
    if environment_id is not None:
        query = query.where(WorkerContainer.environment_id == environment_id)
    wanted = []
    releases: dict[int, RunnableRelease] = {}
    for row, environment, deployment_uuid in db.session.execute(query):
        subnet = find_subnet(environment.id)
        if environment.uuid in busy or subnet is None:
            continue
        if row.release_id not in releases:
            releases[row.release_id] = RunnableRelease.of(row.release)
        network = network_spec(epoch, environment.uuid, subnet.cidr)
        labels = environment_labels(epoch, environment.uuid) | {
            LABEL_DEPLOYMENT: deployment_uuid,
            LABEL_ROLE: ROLE_WORKER,
        }
        spec = worker_container(row, releases[row.release_id], network.name, labels)
        wanted.append(Wanted(spec, network))
    return wanted


def is_up(state: ContainerState | None) -> bool:
    """Whether it runs, or crashed and the engine starts it again by itself, ever more slowly."""
    return state is not None and (state.running or state.restarting)


def _start(installation: Installation, item: Wanted) -> bool:
    """Bring one back. One that cannot start must not keep the others down."""
    engine = installation.adapters.engine
    if not is_still_wanted(item):
        return False
    try:
        engine.ensure_network(item.network)
        engine.start_container(item.spec)
    except PanelError as error:
        logger.warning("%s could not be brought back: %s", item.spec.name, error.sentence)
        return False
    return True


def is_still_wanted(item: Wanted) -> bool:
    """Bringing back hundreds takes minutes, in which deployments come and go."""
    environment = item.spec.labels[LABEL_ENVIRONMENT]
    is_wanted = environment not in busy_environments() and _is_served(item.spec.name)
    db.session.rollback()
    return is_wanted


def _is_nobodys(state: ContainerState, busy: set[str]) -> bool:
    """No row wants it, and no deployment is under way that could have made it meanwhile."""
    environment = state.labels.get(LABEL_ENVIRONMENT, "")
    if environment in busy or state.labels.get(LABEL_ROLE) == ROLE_CRON:
        return False  # runs of cron jobs are looked after, and swept, by their runner
    is_unknown = environment not in busy_environments() and not _is_served(state.name)
    db.session.rollback()
    return is_unknown


def _is_served(name: str) -> bool:
    """Whether the container belongs to a current release, and not to the trash. Asked after
    `busy_environments`, so that one whose deployment ended in between is known."""
    return any(
        db.session.scalar(
            select(table.id)
            .join(CurrentRelease, CurrentRelease.deployment_id == table.deployment_id)
            .join(Environment, Environment.id == table.environment_id)
            .where(is_in_use(), table.name == name)
        )
        is not None
        for table in (Container, WorkerContainer)
    )
