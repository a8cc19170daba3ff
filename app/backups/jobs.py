"""What workers do for backups. Each job takes numbers and looks everything else up."""

from __future__ import annotations

from app.adapters.job_queue import Queue
from app.backups import bringing_back, downloading, due, models, proving, taking, upkeep
from app.backups.queries import is_restoring
from app.backups.retention import apply_retention
from app.deployments.operations import HOLDS
from app.extensions import db
from app.jobs.queueing import enqueue
from app.transactions import unit_of_work

if is_restoring not in HOLDS:
    HOLDS.append(is_restoring)


def take(backup_id: int) -> None:
    """Take a backup, then see which older ones go."""
    taking.take(backup_id)
    _retain(backup_id)


def recover_backup(backup_id: int) -> None:
    """Close a backup whose worker was lost."""
    taking.recover(backup_id)


def restore(restoration_id: int) -> None:
    """Bring data back, if its time has come."""
    bringing_back.restore(restoration_id)


def recover_restoration(restoration_id: int) -> None:
    """Close a restoration whose worker was lost."""
    bringing_back.recover(restoration_id)


def prove(backup_id: int) -> None:
    """Restore a backup for a trial (N4)."""
    proving.prove(backup_id)


def prepare(download_id: int) -> None:
    """Make a download and mail its link."""
    downloading.prepare(download_id)


def recover_download(download_id: int) -> None:
    """Close a download whose worker was lost."""
    downloading.recover(download_id)


def delete(backup_id: int) -> None:
    """Delete a backup for good."""
    upkeep.delete(backup_id)


def take_due_backups() -> None:
    """Begin the daily backups whose hour has come; tell of missing ones."""
    upkeep.take_due()


def tidy_backups() -> None:
    """Let old backups go, remove leftovers, and prove what was not proved yet."""
    upkeep.tidy()
    for item in list(due.list_unproved()):
        enqueue(Queue.OPERATIONS, item.function, item.number, key=item.key)


def _retain(backup_id: int) -> None:
    backup = db.session.get(models.Backup, backup_id)
    number = backup.environment_id if backup else None
    db.session.rollback()
    if number is not None:
        with unit_of_work():
            apply_retention(number)
