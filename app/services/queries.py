"""Finding servers and instances, and what an environment's next deployment would use."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload, undefer

from app.adapters.services import ServiceKind
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db, now
from app.services.models import ServiceInstance, ServiceServer, ServiceShare, ServiceState

WANTED = (
    ServiceState.NEW,
    ServiceState.PROVISIONING,
    ServiceState.PENDING_ATTACHMENT,
    ServiceState.ATTACHED,
    ServiceState.FAILED,
)
"""What the next deployment uses. One that failed is among them, and tried again: a site must not
be deployed in silence without a database that somebody added for it."""
USED = (ServiceState.ATTACHED, ServiceState.PENDING_DETACHMENT)
"""What the running release uses."""
BUSY = (ServiceState.PROVISIONING, ServiceState.REMOVING)
"""What a worker is at, or is to be at."""


# Servers ----------------------------------------------------------------------------------------


def list_servers() -> Sequence[ServiceServer]:
    """All there are: by kind, the embedded ones first, in the order they came."""
    return db.session.scalars(
        select(ServiceServer)
        .options(joinedload(ServiceServer.region))
        .order_by(ServiceServer.kind, ServiceServer.is_embedded.desc(), ServiceServer.id)
    ).all()


def count_instances() -> Mapping[int, int]:
    """How many instances each server has, by its number; those in the trash included."""
    counted = select(ServiceInstance.server_id, func.count()).group_by(ServiceInstance.server_id)
    return {row[0]: row[1] for row in db.session.execute(counted)}


def find_server(uuid: str) -> ServiceServer | None:
    return db.session.scalar(select(ServiceServer).where(ServiceServer.uuid == uuid))


def list_offers(region_id: int) -> Sequence[ServiceServer]:
    """Where new instances may be made: of each kind an operator's own servers first, then embedded
    ones, the recommended version first."""
    return db.session.scalars(
        select(ServiceServer)
        .where(ServiceServer.region_id == region_id, ServiceServer.is_on_offer)
        .order_by(ServiceServer.kind, ServiceServer.is_embedded, ServiceServer.id)
    ).all()


def find_offer(region_id: int, kind: ServiceKind, version: str = "") -> ServiceServer | None:
    """The server a new instance is made on when nobody chooses: the first on offer."""
    for row in list_offers(region_id):
        if row.kind == kind and version in ("", row.version):
            return row
    return None


# Instances --------------------------------------------------------------------------------------


def list_instances(environment_id: int) -> Sequence[ServiceInstance]:
    """By kind and prefix; not those in the trash."""
    return db.session.scalars(
        select(ServiceInstance)
        .where(
            ServiceInstance.environment_id == environment_id, ServiceInstance.trashed_at.is_(None)
        )
        .options(
            joinedload(ServiceInstance.server),
            undefer(ServiceInstance.encrypted_facts),
            joinedload(ServiceInstance.original).undefer(ServiceInstance.encrypted_facts),
            joinedload(ServiceInstance.original)
            .joinedload(ServiceInstance.environment)
            .joinedload(Environment.application),
        )
        .order_by(ServiceInstance.kind, ServiceInstance.prefix)
    ).all()


def instances_of(environment_ids: Sequence[int]) -> Mapping[int, list[ServiceInstance]]:
    """What the next deployment of each would use, in one query."""
    found: dict[int, list[ServiceInstance]] = {number: [] for number in environment_ids}
    rows = db.session.scalars(
        select(ServiceInstance)
        .where(
            ServiceInstance.environment_id.in_(environment_ids),
            ServiceInstance.state.in_(WANTED),
            ServiceInstance.trashed_at.is_(None),
        )
        .options(
            undefer(ServiceInstance.password),
            undefer(ServiceInstance.encrypted_facts),
            joinedload(ServiceInstance.original).undefer(ServiceInstance.password),
            joinedload(ServiceInstance.original).undefer(ServiceInstance.encrypted_facts),
        )
        .order_by(ServiceInstance.kind, ServiceInstance.prefix)
    )
    for row in rows:
        found[row.environment_id].append(row)
    return found


def list_all_instances(environment_ids: Sequence[int]) -> Sequence[ServiceInstance]:
    """Every row of these environments, the trash included: their names are taken."""
    return db.session.scalars(
        select(ServiceInstance)
        .where(ServiceInstance.environment_id.in_(environment_ids))
        .options(joinedload(ServiceInstance.server))
        .order_by(ServiceInstance.id)
    ).all()


def find_instance(environment_id: int, uuid: str) -> ServiceInstance | None:
    """Not one in the trash."""
    return db.session.scalar(
        select(ServiceInstance).where(
            ServiceInstance.environment_id == environment_id,
            ServiceInstance.uuid == uuid,
            ServiceInstance.trashed_at.is_(None),
        )
    )


def find_instances(environment_id: int, uuids: Iterable[str]) -> Mapping[str, ServiceInstance]:
    """By uuid, those that there are, in whatever state; the trash included."""
    rows = db.session.scalars(
        select(ServiceInstance)
        .where(
            ServiceInstance.environment_id == environment_id,
            ServiceInstance.uuid.in_(list(uuids)),
        )
        .options(joinedload(ServiceInstance.server))
    )
    return {row.uuid: row for row in rows}


def has_other_instance(row: ServiceInstance) -> bool:
    """Whether the environment uses, or is to use, another instance on the same server."""
    return any(
        other.server_id == row.server_id and other.id != row.id and other.trashed_at is None
        for other in list_all_instances([row.environment_id])
        if other.state in WANTED or other.state in USED
    )


def find_trashed_instance(application_id: int, uuid: str) -> ServiceInstance | None:
    """One that is in the trash by itself and not being deleted for good."""
    return db.session.scalar(
        select(ServiceInstance)
        .join(ServiceInstance.environment)
        .where(
            ServiceInstance.uuid == uuid,
            ServiceInstance.trashed_at.is_not(None),
            ServiceInstance.state != ServiceState.REMOVING,
            Environment.application_id == application_id,
            is_in_use(),
        )
    )


def list_functional() -> Sequence[ServiceInstance]:
    """What works, of environments in use: its server is to run."""
    return db.session.scalars(
        select(ServiceInstance)
        .join(ServiceInstance.environment)
        .where(
            ServiceInstance.provisioned_at.is_not(None),
            ServiceInstance.state != ServiceState.REMOVING,
            ServiceInstance.trashed_at.is_(None),
            is_in_use(),
        )
        .options(
            joinedload(ServiceInstance.server).joinedload(ServiceServer.region),
            joinedload(ServiceInstance.environment),
        )
        .order_by(ServiceInstance.server_id, ServiceInstance.id)
    ).all()


# Sharing ----------------------------------------------------------------------------------------


def find_share(uuid: str) -> ServiceShare | None:
    """With the instance and both environments."""
    return db.session.scalar(_shares().where(ServiceShare.uuid == uuid))


def list_shares_of(environment_id: int) -> Sequence[ServiceShare]:
    """With whom instances of this environment are shared, in the order they were."""
    return db.session.scalars(
        _shares().where(ServiceInstance.environment_id == environment_id)
    ).all()


def list_shares_with(environment_id: int) -> Sequence[ServiceShare]:
    """Which instances of others this environment may use."""
    return db.session.scalars(_shares().where(ServiceShare.environment_id == environment_id)).all()


def _shares() -> Select[ServiceShare]:
    """Only of instances that are in use: of others nothing can be had."""
    return (
        select(ServiceShare)
        .join(ServiceShare.instance)
        .join(ServiceInstance.environment)
        .where(
            ServiceInstance.trashed_at.is_(None),
            ServiceInstance.state != ServiceState.REMOVING,
            is_in_use(),
        )
        .options(
            contains_eager(ServiceShare.instance)
            .contains_eager(ServiceInstance.environment)
            .joinedload(Environment.application),
            joinedload(ServiceShare.environment).joinedload(Environment.application),
        )
        .order_by(ServiceShare.id)
    )


def list_users(instance_ids: Select[int]) -> Sequence[ServiceInstance]:
    """What stands for these instances in other environments, being removed or not."""
    return db.session.scalars(
        select(ServiceInstance)
        .where(ServiceInstance.original_id.in_(instance_ids))
        .options(joinedload(ServiceInstance.environment).joinedload(Environment.application))
        .order_by(ServiceInstance.id)
    ).all()


def is_still_shared(row: ServiceInstance) -> bool:
    """Whether a shared one may be used; one of its own always may."""
    if row.original_id is None:
        return True
    share = _shares().where(
        ServiceShare.environment_id == row.environment_id,
        ServiceShare.instance_id == row.original_id,
    )
    return db.session.scalar(share) is not None


# What is due ------------------------------------------------------------------------------------


def is_alone(lease_seconds: float) -> ColumnElement[bool]:
    """Nobody works on it: never begun, or the worker was lost."""
    silent = ServiceInstance.heartbeat_at < now() - datetime.timedelta(seconds=lease_seconds)
    return or_(ServiceInstance.heartbeat_at.is_(None), silent)


def list_unfinished(
    lease_seconds: float,
) -> Sequence[Row[int, ServiceState, datetime.datetime | None]]:
    """Number, state and heartbeat of what is to be provisioned or removed, and nobody is at: the
    job or its worker was lost.

    An environment in the trash waits: its instances go with it, or are provisioned when it is
    deployed again.
    """
    return db.session.execute(
        select(ServiceInstance.id, ServiceInstance.state, ServiceInstance.heartbeat_at)
        .join(ServiceInstance.environment)
        .where(ServiceInstance.state.in_(BUSY), is_alone(lease_seconds), is_in_use())
        .order_by(ServiceInstance.id)
    ).all()


def list_due_instances(keeps_seconds: float) -> Select[int]:
    """Numbers of those that have been in the trash for so long."""
    before = now() - datetime.timedelta(seconds=keeps_seconds)
    return select(ServiceInstance.id).where(
        and_(ServiceInstance.trashed_at < before, ServiceInstance.state != ServiceState.REMOVING)
    )
