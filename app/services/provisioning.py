"""Making instances and removing them: what workers do, asked by jobs and by the pipeline.

Everything here may be done twice. What is to be done stands in the row before it is begun, names
and password included, so a worker may be killed anywhere: the next one goes on from the row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.adapters.services import Facts, Order, Server
from app.environments.models import Environment
from app.errors import Conflict, PanelError, Unavailable
from app.extensions import db, now
from app.installation import alone_with, installation
from app.services import queries
from app.services.lease import holding, is_held, require_lease, take_lease
from app.services.models import ServiceInstance, ServiceState
from app.services.servers import server_of
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

BROKEN = "Something broke on our side. Try again; tell the operator if it happens again."
WAIT_SECONDS = 30 * 60
"""How long a deployment waits for another worker that provisions: an embedded server's image may
have to be built first."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Made:
    """An instance as plain facts: what adapters are asked with."""

    id: int
    name: str
    key: str
    server: Server
    order: Order
    facts: Facts


def provision(instance_id: int) -> bool:
    """Provision what is to be. Returns whether this call did: not when another worker is at it,
    or nothing is to be done. Raises `PanelError` after noting it as failed."""
    with unit_of_work():
        token = take_lease(instance_id, ServiceState.PROVISIONING)
    if token is None:
        return False
    try:
        with holding(instance_id, token):
            made = load_made(instance_id)
            facts = _provision(made)
    except PanelError as error:
        _note_failure(instance_id, token, error.sentence)
        raise
    except Exception:
        # An edge, like that of the pipeline: the instance must not stay taken for ever.
        _note_failure(instance_id, token, BROKEN)
        raise
    with unit_of_work():
        row = require_lease(instance_id, token)
        if row:
            row.facts = facts
            row.provisioned_at = row.provisioned_at or now()
            row.state, row.sentence = ServiceState.PENDING_ATTACHMENT, ""
            row.lease_token = row.heartbeat_at = None
    if row is None:
        _take_back(made, facts)
    return row is not None


def _take_back(made: Made, facts: Facts) -> None:
    """This worker was halted, and lost the instance: if that was deleted meanwhile, what has just
    been made of it is nobody's."""
    row = db.session.get(ServiceInstance, made.id, populate_existing=True)
    is_deleted = row is None or row.state == ServiceState.REMOVING
    end_reading()
    if is_deleted:
        backend = installation().adapters.services.of(made.server.kind)
        backend.deprovision(made.server, made.key, facts)


def provision_or_wait(instance_id: int, is_cancelled: Callable[[], bool]) -> None:
    """`provision`, or wait until whoever is at it has done so. Raises `PanelError` with the
    sentence of its failure."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        row = db.session.get(ServiceInstance, instance_id, populate_existing=True)
        state, sentence = (row.state, row.sentence) if row else (ServiceState.REMOVING, "")
        is_done = row is not None and row.provisioned_at is not None
        is_taken = row is not None and is_held(row)
        end_reading()
        if is_done or is_cancelled():
            return
        if state != ServiceState.PROVISIONING:
            raise Unavailable(sentence or "A service was removed meanwhile. Deploy again.")
        if not is_taken and provision(instance_id):
            return
        if time.monotonic() > until:
            raise Unavailable("Another worker is still provisioning a service. Deploy again later.")
        time.sleep(POLL_SECONDS)


def add_extensions(instance_id: int, extensions: Sequence[str]) -> None:
    """Have one that works get extensions that were asked for since; noted when it has them."""
    made = load_made(instance_id)
    facts = _provision(replace(made, order=replace(made.order, extensions=tuple(extensions))))
    with unit_of_work():
        row = db.session.get(ServiceInstance, instance_id)
        if row:
            row.facts = facts
            row.options = {**row.options, "extensions": list(extensions)}


def load_made(instance_id: int) -> Made:
    """What the row says, with its secrets opened; ends the reading. Raises `Unavailable` when they
    cannot be opened."""
    row = db.session.get(ServiceInstance, instance_id, populate_existing=True)
    if row is None:
        raise Conflict("This service was removed meanwhile.")
    made = made_of(row)
    end_reading()
    return made


def made_of(row: ServiceInstance, server: Server | None = None) -> Made:
    """The same of a row at hand; the reading goes on. `server` saves opening its secret again."""
    return Made(
        id=row.id,
        name=row.name,
        key=row.source.key,
        server=server or server_of(row.server),
        order=Order(
            row.source.key,
            row.source.password,
            extensions=tuple(row.source.options.get("extensions", ())),
        ),
        facts=row.facts,
    )


def start(server: Server) -> None:
    """Bring the server up; of several who want it at once the others wait for the first."""
    with alone_with(f"service-{server.key}"):
        installation().adapters.services.of(server.kind).start(server)


def _provision(made: Made) -> Facts:
    start(made.server)
    return installation().adapters.services.of(made.server.kind).provision(made.server, made.order)


def _note_failure(instance_id: int, token: str, sentence: str) -> None:
    logger.warning("service %s could not be provisioned: %s", instance_id, sentence)
    db.session.rollback()
    with unit_of_work():
        row = require_lease(instance_id, token)
        if row:
            row.state, row.sentence = ServiceState.FAILED, sentence
            row.lease_token = row.heartbeat_at = None


# Removing ---------------------------------------------------------------------------------------


def remove_for_good(instance_id: int) -> bool:
    """Remove one that is doomed, data first and the row last. Returns whether this call did.
    Raises `PanelError` after noting why it could not."""
    with unit_of_work():
        token = take_lease(instance_id, ServiceState.REMOVING)
    if token is None:
        return False
    try:
        with holding(instance_id, token):
            _remove_outside(instance_id)
    except PanelError as error:
        _note_refusal(instance_id, token, error.sentence)
        raise
    with unit_of_work():
        row = require_lease(instance_id, token)
        if row:
            db.session.delete(row)
    return row is not None


def _remove_outside(instance_id: int) -> None:
    row = db.session.get_one(ServiceInstance, instance_id, populate_existing=True)
    environment = db.session.get_one(Environment, row.environment_id)
    network = network_name(environment.uuid)
    if row.server.is_lost:
        return
    made = made_of(row)
    # The site's other instances there are reached by the same connection.
    is_alone, is_shared = not queries.has_other_instance(row), row.original_id is not None
    end_reading()
    backend = installation().adapters.services.of(made.server.kind)
    start(made.server)
    if made.facts and is_alone:
        backend.detach(made.server, made.facts, network)
    if not is_shared:
        backend.deprovision(made.server, made.key, made.facts)


def network_name(environment_uuid: str) -> str:
    """An environment's own network in the engine."""
    return f"moonbase-{environment_uuid}"


def _note_refusal(instance_id: int, token: str, sentence: str) -> None:
    """It is tried again when the lease has run out."""
    logger.warning("service %s is not removed yet: %s", instance_id, sentence)
    db.session.rollback()
    with unit_of_work():
        row = require_lease(instance_id, token)
        if row:
            row.sentence, row.lease_token = sentence, None
