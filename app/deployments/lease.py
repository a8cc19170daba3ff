"""The heartbeat of a running deployment, and the news it brings back: cancelled, or lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.deployments.models import Deployment, DeploymentStatus
from app.extensions import db, now
from app.installation import installation

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How soon a request to cancel is noticed."""


@contextmanager
def holding_lease(
    deployment_id: int, token: str, cancelled: threading.Event, lost: threading.Event
) -> Iterator[None]:
    """Keep the lease alive while the block runs, in a thread with a connection of its own.

    Sets `cancelled` when a person asks to stop, `lost` when another process took the deployment.
    """
    stop = threading.Event()
    arguments = (db.engine, deployment_id, token, cancelled, lost, stop)
    beat = installation().settings.times.heartbeat
    thread = threading.Thread(target=_keep, args=(*arguments, beat), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def _keep(
    engine: Engine,
    deployment_id: int,
    token: str,
    cancelled: threading.Event,
    lost: threading.Event,
    stop: threading.Event,
    beat: float,
) -> None:
    due = time.monotonic() + beat
    while not stop.wait(min(LOOK_SECONDS, beat / 2)):
        try:
            if time.monotonic() >= due:
                due = time.monotonic() + beat
                if not _beat(engine, deployment_id, token):
                    lost.set()
                    cancelled.set()
                    return
            if not cancelled.is_set() and _is_cancel_requested(engine, deployment_id):
                cancelled.set()
        except SQLAlchemyError:
            logger.warning("the heartbeat of deployment %s could not be written", deployment_id)


def _beat(engine: Engine, deployment_id: int, token: str) -> bool:
    """Write the heartbeat; False when the lease is somebody else's now."""
    with engine.connect().execution_options(writes=True) as connection:
        changed = connection.execute(
            update(Deployment)
            .where(
                Deployment.id == deployment_id,
                Deployment.lease_token == token,
                Deployment.status == DeploymentStatus.RUNNING,
            )
            .values(heartbeat_at=now())
        )
        connection.commit()
        return changed.rowcount == 1


def _is_cancel_requested(engine: Engine, deployment_id: int) -> bool:
    asked = select(Deployment.cancel_requested_at).where(Deployment.id == deployment_id)
    with engine.connect() as connection:
        return connection.scalar(asked) is not None
