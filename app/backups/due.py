"""What the scheduler enqueues for backups: lost work, what waits, what is to be deleted."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Select, select

from app.backups import leases
from app.backups.downloading import PREPARE_JOB
from app.backups.models import (
    Backup,
    BackupOrigin,
    BackupPart,
    Download,
    Restoration,
    Upload,
    WorkStatus,
)
from app.backups.operations import DELETE_JOB, PROVE_JOB, RESTORE_JOB, TAKE_JOB
from app.extensions import db, now

TAKE_DUE_JOB = "app.backups.jobs.take_due_backups"
TIDY_JOB = "app.backups.jobs.tidy_backups"
TAKE_DUE_SECONDS = 60
TIDY_SECONDS = 3600
RECOVER_JOBS: Mapping[type[Backup] | type[Restoration] | type[Download], str] = {
    Backup: "app.backups.jobs.recover_backup",
    Restoration: "app.backups.jobs.recover_restoration",
    Download: "app.backups.jobs.recover_download",
}
PROVED_WITHIN = datetime.timedelta(days=2)


@dataclass(frozen=True)
class Due:
    """A job: its function, whose number it takes, and what its key begins with."""

    function: str
    number: int
    key: str


def list_due_work() -> Iterator[Due]:
    """All that ought to be under way. The key does not change while it waits in the queue."""
    for model, function in RECOVER_JOBS.items():
        lost = select(model.id).where(
            model.status == WorkStatus.RUNNING, model.heartbeat_at < leases.silent_before()
        )
        for number in db.session.scalars(lost):
            yield Due(function, number, f"recover-{model.__tablename__}-{number}".replace("_", "-"))
    yield from _waiting_backups()
    waiting = select(Restoration.id).where(Restoration.status == WorkStatus.WAITING)
    for number in db.session.scalars(waiting):
        yield Due(RESTORE_JOB, number, f"restore-{number}")
    for number in db.session.scalars(
        select(Download.id).where(Download.status == WorkStatus.WAITING)
    ):
        yield Due(PREPARE_JOB, number, f"download-{number}")
    for number in db.session.scalars(
        select(Backup.id).where(Backup.deletion_began_at.is_not(None))
    ):
        yield Due(DELETE_JOB, number, f"delete-backup-{number}")


def _waiting_backups() -> Iterator[Due]:
    """Of scheduled ones the first, while none runs: they go one after the other."""
    waiting = select(Backup.id).where(
        Backup.status == WorkStatus.WAITING, Backup.deletion_began_at.is_(None)
    )
    others = waiting.where(Backup.origin.in_((BackupOrigin.ON_DEMAND, BackupOrigin.COPY)))
    first = waiting.where(Backup.origin == BackupOrigin.SCHEDULED).order_by(Backup.id).limit(1)
    running = select(Backup.id).where(
        Backup.origin == BackupOrigin.SCHEDULED, Backup.status == WorkStatus.RUNNING
    )
    numbers = list(db.session.scalars(others))
    numbers += db.session.scalars(waiting.where(Backup.id.in_(_brought())))
    if db.session.scalar(running.limit(1)) is None:
        numbers += db.session.scalars(first)
    for number in numbers:
        yield Due(TAKE_JOB, number, f"backup-{number}")


def _brought() -> Select[int]:
    """Backups for which all that is brought has come, or will not come any more."""
    awaited = (
        select(BackupPart.backup_id)
        .join(Upload, Upload.part_id == BackupPart.id)
        .where(Upload.finished_at.is_(None), Upload.expires_at > now())
    )
    return select(Backup.id).where(Backup.origin == BackupOrigin.BROUGHT, Backup.id.not_in(awaited))


def list_unproved() -> Iterator[Due]:
    """Scheduled backups that nobody has tried to restore yet, of the last two days."""
    rows = select(Backup.id).where(
        Backup.origin == BackupOrigin.SCHEDULED,
        Backup.status == WorkStatus.SUCCEEDED,
        Backup.deletion_began_at.is_(None),
        Backup.proved_at.is_(None),
        Backup.proof_failed_at.is_(None),
        Backup.created_at > now() - PROVED_WITHIN,
    )
    for number in db.session.scalars(rows.order_by(Backup.id)):
        yield Due(PROVE_JOB, number, f"prove-{number}")
