"""The backups of environments that are deleted for good."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select

from app.backups import proving, upkeep
from app.backups.models import Backup, BackupPart, DrillInstance, Restoration, WorkStatus
from app.errors import Unavailable
from app.extensions import db, now
from app.services.models import ServiceInstance
from app.transactions import unit_of_work

WAITS = "A backup or a restore that runs there is being finished first."


def remove_backups(environment_ids: Sequence[int]) -> None:
    """Remove them from the store, and then their rows; a second run goes on where one was cut off.
    Raises `Unavailable` while one of them is being taken or restored; what waits is dropped."""
    _drop_waiting(environment_ids)
    if _is_busy(environment_ids):
        raise Unavailable(WAITS)
    _sweep_drills(environment_ids)
    rows = select(Backup.id).where(Backup.environment_id.in_(environment_ids))
    for number in db.session.scalars(rows).all():
        with unit_of_work():
            backup = db.session.get(Backup, number)
            if backup is not None and backup.deletion_began_at is None:
                backup.deletion_began_at = now()
        upkeep.delete(number)


def _drop_waiting(environment_ids: Sequence[int]) -> None:
    with unit_of_work():
        for restoration in db.session.scalars(
            select(Restoration).where(
                Restoration.status == WorkStatus.WAITING, _touches(environment_ids)
            )
        ):
            db.session.delete(restoration)
        for backup in db.session.scalars(
            select(Backup).where(
                Backup.environment_id.in_(environment_ids), Backup.status == WorkStatus.WAITING
            )
        ):
            backup.status = WorkStatus.FAILED


def _touches(environment_ids: Sequence[int]) -> ColumnElement[bool]:
    """Restorations into these environments, or from their backups."""
    instances = select(ServiceInstance.id).where(
        ServiceInstance.environment_id.in_(environment_ids)
    )
    parts = (
        select(BackupPart.id)
        .join(BackupPart.backup)
        .where(Backup.environment_id.in_(environment_ids))
    )
    return or_(Restoration.instance_id.in_(instances), Restoration.part_id.in_(parts))


def _is_busy(environment_ids: Sequence[int]) -> bool:
    backup = select(Backup.id).where(
        Backup.environment_id.in_(environment_ids), Backup.status == WorkStatus.RUNNING
    )
    restoration = select(Restoration.id).where(
        Restoration.status == WorkStatus.RUNNING, _touches(environment_ids)
    )
    found = [db.session.scalar(query.limit(1)) for query in (backup, restoration)]
    db.session.rollback()
    return any(number is not None for number in found)


def _sweep_drills(environment_ids: Sequence[int]) -> None:
    """A drill under way is finished first; what a lost one left is removed."""
    proving.sweep()
    left = (
        select(DrillInstance.id)
        .join(DrillInstance.part)
        .join(BackupPart.backup)
        .where(Backup.environment_id.in_(environment_ids))
    )
    is_left = db.session.scalar(left.limit(1)) is not None
    db.session.rollback()
    if is_left:
        raise Unavailable(WAITS)
