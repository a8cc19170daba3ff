"""The lease of an instance: who provisions or removes it, kept alive while that lasts."""

from __future__ import annotations

import datetime
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, or_, update
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db, now
from app.installation import installation
from app.services.models import ServiceInstance, ServiceState
from app.services.queries import is_alone

logger = logging.getLogger(__name__)


def take_lease(instance_id: int, *states: ServiceState) -> str | None:
    """Take the instance, if it stands in one of `states` and nobody living has it. Belongs into a
    unit of work."""
    token = secrets.token_hex(8)
    lease = installation().settings.times.lease
    changed = db.session.execute(
        update(ServiceInstance)
        .where(
            ServiceInstance.id == instance_id,
            ServiceInstance.state.in_(states),
            or_(ServiceInstance.lease_token.is_(None), is_alone(lease)),
        )
        .values(lease_token=token, heartbeat_at=now()),
        execution_options={"synchronize_session": False},
    )
    db.session.expire_all()
    return token if changed.rowcount == 1 else None  # type: ignore[attr-defined]


def is_held(row: ServiceInstance) -> bool:
    """Whether a worker that lives has it."""
    lease = datetime.timedelta(seconds=installation().settings.times.lease)
    beat = row.heartbeat_at
    return row.lease_token is not None and beat is not None and beat > now() - lease


def require_lease(instance_id: int, token: str) -> ServiceInstance | None:
    """The instance for writing, or None when another worker has it now, or it is gone."""
    row = db.session.get(
        ServiceInstance, instance_id, populate_existing=True, with_for_update={"key_share": True}
    )
    return row if row and row.lease_token == token else None


@contextmanager
def holding(instance_id: int, token: str) -> Iterator[None]:
    """Keep the lease alive while the block runs, in a thread with a connection of its own."""
    stop = threading.Event()
    beat = installation().settings.times.heartbeat
    arguments = (db.engine, instance_id, token, stop, beat)
    thread = threading.Thread(target=_keep, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def _keep(engine: Engine, instance_id: int, token: str, stop: threading.Event, beat: float) -> None:
    while not stop.wait(beat):
        try:
            with engine.connect().execution_options(writes=True) as connection:
                connection.execute(
                    update(ServiceInstance)
                    .where(ServiceInstance.id == instance_id, ServiceInstance.lease_token == token)
                    .values(heartbeat_at=now())
                )
                connection.commit()
        except SQLAlchemyError:
            logger.warning("the heartbeat of service %s could not be written", instance_id)
