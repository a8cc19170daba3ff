"""Connecting sites to the servers of their services, and what a deployment needs of both. Called
by the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.errors import Invalid, PanelError, Unavailable
from app.extensions import db
from app.installation import installation
from app.services import queries
from app.services.models import ServiceInstance, ServiceState
from app.services.provisioning import load_made, made_of, network_name, start
from app.transactions import end_reading


def connect(instance_id: int, network: str) -> str:
    """Make the instance reachable from an environment's network; its server is started if need be.
    Returns its name. Raises `PanelError` with a sentence that begins with it."""
    made = load_made(instance_id)
    backend = installation().adapters.services.of(made.server.kind)
    try:
        start(made.server)
        backend.attach(made.server, made.facts, network)
    except Unavailable as error:
        raise Unavailable(f"{made.name}: {error.sentence}", retry=error.retry) from error
    return made.name


def check_answers(instance_id: int) -> None:
    """Raise `PanelError` unless the instance works: its server answers, and has it."""
    made = load_made(instance_id)
    try:
        start(made.server)
        installation().adapters.services.of(made.server.kind).usage(made.server, made.facts)
    except PanelError as error:
        raise Unavailable(f"{made.name} does not work: {error.sentence}") from error


def disconnect_unused(environment_id: int, environment_uuid: str) -> list[str]:
    """Take detached instances from an environment's network, unless it needs the same server for
    another one. Returns names. Each row is looked at again before: a newer deployment may want
    it."""
    names = []
    network = network_name(environment_uuid)
    numbers = [
        row.id
        for row in queries.list_all_instances([environment_id])
        if row.state == ServiceState.DETACHED and row.provisioned_at is not None
    ]
    end_reading()
    for number in numbers:
        row = db.session.get(ServiceInstance, number, populate_existing=True)
        made = made_of(row) if row and _is_unneeded(row) else None
        end_reading()
        if made:
            backend = installation().adapters.services.of(made.server.kind)
            backend.detach(made.server, made.facts, network)
            names.append(made.name)
    return names


def _is_unneeded(row: ServiceInstance) -> bool:
    return row.state == ServiceState.DETACHED and not queries.has_other_instance(row)


def require_instances(environment_id: int, uuids: Iterable[str], names: Sequence[str]) -> list[int]:
    """Numbers of the instances that a release uses, which must all be there and not in the trash.
    `names` says what they were called. Raises `Invalid` naming the first that is not."""
    wanted = list(uuids)
    found = queries.find_instances(environment_id, wanted)
    for uuid, name in zip(wanted, names, strict=True):
        row = found.get(uuid)
        if row is None or row.state == ServiceState.REMOVING:
            raise Invalid(
                f"This release uses {name}, which was deleted for good. Deploy instead: a new "
                "release is made with the services there are."
            )
        if row.trashed_at:
            raise Invalid(f"This release uses {name}, which is in the trash. Restore it first.")
        if not queries.is_still_shared(row):
            raise Invalid(f"This release uses {name}, which is not shared any more.")
    return [found[uuid].id for uuid in wanted]
