"""What workers of the panel do for processes of sites. Numbers only; fine to run twice."""

from __future__ import annotations

import datetime
import logging

from sqlalchemy import update

from app.deployments.models import WorkerContainer
from app.deployments.reconcile import Wanted, busy_environments, is_still_wanted, wanted_workers
from app.errors import PanelError
from app.extensions import db
from app.installation import installation
from app.routes.queries import load_feed
from app.transactions import unit_of_work
from app.workers.queries import asked_restarts

logger = logging.getLogger(__name__)


def restart(environment_id: int) -> None:
    """Start the containers anew for which that was asked, one after the other, from the current
    release. While a deployment runs there nothing is done: it replaces them all."""
    asked = asked_restarts(environment_id)
    found = wanted_workers(load_feed().epoch, busy_environments(), environment_id)
    db.session.rollback()
    for item in found:
        asked_at = asked.get(item.spec.name)
        if asked_at:
            try:
                _restart(item, asked_at)
            except PanelError as error:
                # The wish stays: the scheduler has it tried again.
                logger.warning("%s is not restarted yet: %s", item.spec.name, error.sentence)


def _restart(item: Wanted, asked_at: datetime.datetime) -> None:
    here = installation()
    engine, name = here.adapters.engine, item.spec.name
    engine.stop_container(name, int(here.settings.times.stop_grace))
    if not is_still_wanted(item):
        return
    engine.ensure_network(item.network)
    engine.start_container(item.spec)
    with unit_of_work():
        db.session.execute(
            update(WorkerContainer)
            .where(WorkerContainer.name == name, WorkerContainer.restart_asked_at == asked_at)
            .values(restart_asked_at=None, is_running=True, restarts=0)
        )
