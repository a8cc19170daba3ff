"""What workers do for services. Each job takes numbers and looks everything else up."""

from __future__ import annotations

import logging

from app.errors import PanelError
from app.extensions import db
from app.installation import installation
from app.services import keeping, operations, provisioning, queries
from app.services.models import ServiceInstance
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

KEEP_JOB = "app.services.jobs.keep_running"
MEASURE_JOB = "app.services.jobs.measure_usage"


def provision(instance_id: int) -> None:
    """Provision one instance; a failure stands in its row, where people read it."""
    try:
        if provisioning.provision(instance_id):
            logger.info("service %s is provisioned", instance_id)
    except PanelError as error:
        logger.warning("service %s: %s", instance_id, error.sentence)


def remove(instance_id: int) -> None:
    """Delete for good what is doomed, or whose time in the trash is over."""
    keeps = installation().settings.times.trash
    due = queries.list_due_instances(keeps).where(ServiceInstance.id == instance_id)
    with unit_of_work():
        if db.session.scalar(due):
            operations.begin_removal(db.session.get_one(ServiceInstance, instance_id), None)
    try:
        provisioning.remove_for_good(instance_id)
    except PanelError as error:
        logger.warning("service %s: %s", instance_id, error.sentence)


def keep_running() -> None:
    """Bring servers back that should run, and connect sites to them."""
    keeping.keep_running()


def measure_usage() -> None:
    """Look how much instances hold."""
    keeping.measure_usage()
