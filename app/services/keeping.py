"""Keeping servers up and reachable, and looking how much instances hold. Called by jobs only."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby

from app.adapters.services import Server, Usage
from app.errors import PanelError
from app.extensions import db, now
from app.installation import alone_with, installation
from app.services import queries
from app.services.models import ServiceInstance, ServiceState
from app.services.provisioning import Made, made_of, network_name, start
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)


def keep_running() -> None:
    """Start servers that have instances and do not answer, and connect them to the networks of
    sites whose release uses them. Does nothing while another worker is at it; a server that does
    not come up must not keep the others down."""
    with alone_with("service-keeper", waits=False) as is_alone:
        for server, rows in _by_server() if is_alone else ():
            try:
                start(server)
                _connect(rows)
            except PanelError as error:
                logger.warning("%s %s: %s", server.kind, server.version, error.sentence)


def measure_usage() -> None:
    """Look how much each instance holds. What a server does not tell now stays as it was."""
    with alone_with("service-measuring", waits=False) as is_alone:
        for server, rows in _by_server() if is_alone else ():
            try:
                for made, _ in rows:
                    backend = installation().adapters.services.of(server.kind)
                    _note(made.id, backend.usage(server, made.facts))
            except PanelError as error:
                logger.warning("%s %s: %s", server.kind, server.version, error.sentence)


Kept = tuple[Made, str]
"""An instance, and the network of the site that uses it at present; empty when none does."""


def _by_server() -> Iterator[tuple[Server, list[Kept]]]:
    """All instances that work, by server. One whose secrets cannot be opened is left out."""
    found: list[Kept] = []
    servers: dict[int, Server] = {}
    for row in queries.list_functional():
        try:
            made = made_of(row, servers.get(row.server_id))
            servers[row.server_id] = made.server
            found.append((made, _network_of(row)))
        except PanelError as error:
            logger.warning("service %s: %s", row.uuid, error.sentence)
    end_reading()
    for server, rows in groupby(found, key=lambda kept: kept[0].server):
        yield server, list(rows)


def _network_of(row: ServiceInstance) -> str:
    return network_name(row.environment.uuid) if row.state in queries.USED else ""


def _connect(rows: Sequence[Kept]) -> None:
    """To networks that are there: one that is not has no container that misses the server."""
    networks = set(installation().adapters.engine.list_networks({}))
    for made, network in rows:
        if network in networks and _is_used(made.id):
            backend = installation().adapters.services.of(made.server.kind)
            backend.attach(made.server, made.facts, network)


def _is_used(instance_id: int) -> bool:
    """As it stands now: starting servers takes time, in which deployments come and go."""
    row = db.session.get(ServiceInstance, instance_id, populate_existing=True)
    is_used = row is not None and row.state in queries.USED and row.trashed_at is None
    db.session.rollback()
    return is_used


def _note(instance_id: int, usage: Usage) -> None:
    with unit_of_work():
        row = db.session.get(ServiceInstance, instance_id)
        if row is not None and row.state != ServiceState.REMOVING:
            row.used_bytes, row.used_connections = usage.bytes, usage.connections
            row.used_objects, row.measured_at = usage.objects, now()
