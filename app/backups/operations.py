"""Asking for backups, closing them, deleting them, and when they are taken by themselves."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import User
from app.adapters.job_queue import Queue
from app.adapters.services import Content
from app.backups import notices
from app.backups.content import CONTENT_OF, list_backed_up
from app.backups.models import (
    Backup,
    BackupOrigin,
    BackupPart,
    BackupSchedule,
    BackupTier,
    Restoration,
    WorkStatus,
)
from app.backups.queries import ACTIVE, find_schedule
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.services.models import ServiceInstance

TAKE_JOB = "app.backups.jobs.take"
PROVE_JOB = "app.backups.jobs.prove"
RESTORE_JOB = "app.backups.jobs.restore"
DELETE_JOB = "app.backups.jobs.delete"
NOTE_LENGTH = 200
EVERYTHING = frozenset(Content)
MOST_KEPT = 400


@dataclass(frozen=True)
class NewBackup:
    """What a person asks for: `contents` database, media or both; of the instances `uuids`, or of
    all when there are none. `expires_at`: it is deleted soon after that moment."""

    contents: frozenset[Content] = EVERYTHING
    note: str = ""
    uuids: Collection[str] = ()
    expires_at: datetime.datetime | None = None


@dataclass(frozen=True)
class Schedule:
    """When the daily backup is taken, and how many of each tier are kept."""

    is_on: bool = True
    hour: int = 3
    zone: str = "UTC"
    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def request_backup(environment: Environment, wanted: NewBackup, actor: User | None) -> Backup:
    """Have a worker take a backup now. The same asked again while it waits or runs is the same
    backup. Raises `Invalid` when there is nothing to back up, `Conflict` in the trash."""
    take_turns(environment.id)
    db.session.refresh(environment)
    if environment.is_trashed:
        raise Conflict("It is in the trash. Restore it first, then take a backup.")
    note = cleaned_note(wanted.note)
    instances = [
        row
        for row in list_backed_up(environment.id)
        if CONTENT_OF[row.kind] in wanted.contents
        and (not wanted.uuids or row.uuid in wanted.uuids)
    ]
    if not instances:
        raise Invalid("There is nothing to back up here: no database or media that works yet.")
    for active in _active_on_demand(environment.id):
        if {part.instance_id for part in active.parts} == {row.id for row in instances}:
            active.expires_at = _later(active.expires_at, wanted.expires_at)
            return active
    backup = begin_backup(environment, instances, BackupOrigin.ON_DEMAND, actor)
    backup.note, backup.expires_at = note, wanted.expires_at
    record_on(environment, "backup.take", actor, backup=backup.uuid, note=note)
    return backup


def cleaned_note(text: str) -> str:
    """Raises `Invalid` for one that is too long."""
    note = text.strip()
    if len(note) > NOTE_LENGTH:
        raise Invalid(f"A note has at most {NOTE_LENGTH} characters.", "note")
    return note


def _later(
    one: datetime.datetime | None, other: datetime.datetime | None
) -> datetime.datetime | None:
    """None is for ever."""
    return max(one, other) if one and other else None


def _active_on_demand(environment_id: int) -> Collection[Backup]:
    return db.session.scalars(
        select(Backup).where(
            Backup.environment_id == environment_id,
            Backup.origin == BackupOrigin.ON_DEMAND,
            Backup.status.in_(ACTIVE),
        )
    ).all()


def begin_backup(
    environment: Environment,
    instances: Collection[ServiceInstance],
    origin: BackupOrigin,
    actor: User | None,
) -> Backup:
    """The rows of a backup with a part for each instance, and a worker to take it. Raises `Invalid`
    for one that another environment shares: its data are backed up there."""
    for row in instances:
        if row.original_id is not None:
            raise Invalid(f"{row.name} is shared by another environment. Back it up there.")
    is_scheduled = origin == BackupOrigin.SCHEDULED
    backup = Backup(
        environment=environment,
        actor=actor,
        origin=origin,
        tier=BackupTier.DAILY if is_scheduled else None,
        parts=[
            BackupPart(
                instance=row,
                content=CONTENT_OF[row.kind],
                kind=row.kind,
                version=row.server.version,
                prefix=row.prefix,
            )
            for row in instances
        ],
    )
    db.session.add(backup)
    db.session.flush()
    # Whoever restores takes a safety backup itself; what is brought must be there first.
    if origin not in (BackupOrigin.SAFETY, BackupOrigin.BROUGHT):
        enqueue_backup(backup.id)
    return backup


def enqueue_backup(backup_id: int) -> None:
    """Have a worker take a waiting backup, after the commit."""
    enqueue_after_commit(Queue.OPERATIONS, TAKE_JOB, backup_id, key=f"backup-{backup_id}")


def may_begin(backup: Backup) -> bool:
    """Whether a waiting backup's turn has come. Scheduled ones go one after the other, so that a
    night of many leaves workers for people."""
    if backup.status != WorkStatus.WAITING or backup.deletion_began_at:
        return False
    running = select(Backup.id).where(
        Backup.origin == BackupOrigin.SCHEDULED, Backup.status == WorkStatus.RUNNING
    )
    is_scheduled = backup.origin == BackupOrigin.SCHEDULED
    return not (is_scheduled and db.session.scalar(running.limit(1)))


def close_backup(backup: Backup) -> None:
    """Write how it ended: well, if every part did. Tells of a failure, and starts what waited for
    it. A part that is good stays restorable though another one failed."""
    failed = [part for part in backup.parts if part.status != WorkStatus.SUCCEEDED]
    backup.status = WorkStatus.FAILED if failed else WorkStatus.SUCCEEDED
    backup.sentence = " ".join(dict.fromkeys(part.sentence for part in failed))
    backup.ended_at, backup.lease_token = now(), None
    for part in failed:
        part.status = WorkStatus.FAILED
    db.session.flush()
    is_passing = backup.origin in (BackupOrigin.COPY, BackupOrigin.BROUGHT)
    if failed and not is_passing:
        notices.tell_of_failed_backup(backup)
    if backup.origin == BackupOrigin.SCHEDULED:
        _close_scheduled(backup)
    if not failed and not is_passing:
        schedule = find_schedule(backup.environment_id)
        if schedule:
            schedule.absence_told_at = None
    for waiting in db.session.scalars(
        select(Restoration.id).where(
            Restoration.part_id.in_([part.id for part in backup.parts]),
            Restoration.status == WorkStatus.WAITING,
        )
    ):
        enqueue_restoration(waiting)


def _close_scheduled(backup: Backup) -> None:
    """Proves it the same night, and begins the next one that waits."""
    if backup.status == WorkStatus.SUCCEEDED:
        key = f"prove-{backup.id}"
        enqueue_after_commit(Queue.OPERATIONS, PROVE_JOB, backup.id, key=key)
    following = db.session.scalar(
        select(Backup.id)
        .where(Backup.origin == BackupOrigin.SCHEDULED, Backup.status == WorkStatus.WAITING)
        .order_by(Backup.id)
        .limit(1)
    )
    if following:
        enqueue_backup(following)


def enqueue_restoration(restoration_id: int) -> None:
    """Have a worker look at a waiting restoration, after the commit."""
    moment = int(now().timestamp())
    key = f"restore-{restoration_id}-{moment}"
    enqueue_after_commit(Queue.OPERATIONS, RESTORE_JOB, restoration_id, key=key)


def delete_backup(backup: Backup, actor: User) -> None:
    """Delete it for good: from the commit on nobody restores it; the files go first, the row last.
    Raises `Conflict` while it is being taken, or something is being restored from it."""
    db.session.refresh(backup, with_for_update=True)
    if backup.deletion_began_at:
        return
    if not backup.status.is_final:
        raise Conflict("This backup is being taken. Wait until it has ended.")
    if is_in_use(backup):
        raise Conflict("Something is being restored from this backup. Wait until it has ended.")
    record_on(backup.environment, "backup.delete", actor, backup=backup.uuid, note=backup.note)
    doom(backup)


def is_in_use(backup: Backup) -> bool:
    """Whether a restoration from it waits or runs, or it is the way back from one that runs."""
    using = select(Restoration.id).where(
        Restoration.status.in_(ACTIVE),
        Restoration.part_id.in_([part.id for part in backup.parts])
        | (Restoration.safety_backup_id == backup.id),
    )
    return db.session.scalar(using.limit(1)) is not None


def doom(backup: Backup) -> None:
    """Have its files and then its row deleted, however often a worker is lost over it."""
    backup.deletion_began_at = now()
    enqueue_after_commit(Queue.OPERATIONS, DELETE_JOB, backup.id, key=f"delete-backup-{backup.id}")


def set_schedule(environment: Environment, wanted: Schedule, actor: User | None) -> BackupSchedule:
    """When the environment is backed up by itself, and how long what is kept. Raises `Invalid`."""
    if not 0 <= wanted.hour <= 23:
        raise Invalid("The hour is a number from 0 to 23.", "hour")
    if wanted.zone not in zoneinfo.available_timezones():
        raise Invalid("There is no such time zone. One like “Europe/Zurich” is.", "zone")
    for field in ("daily", "weekly", "monthly"):
        least = 1 if field == "daily" else 0
        if not least <= getattr(wanted, field) <= MOST_KEPT:
            raise Invalid(f"Choose a number from {least} to {MOST_KEPT}.", field)
    take_turns(environment.id)
    row = find_schedule(environment.id) or ensure_schedule(environment)
    before = _state(row)
    for name, value in vars(wanted).items():
        setattr(row, name, value)
    db.session.flush()
    record_on(environment, "backup.schedule", actor, before=before, after=_state(row))
    return row


def ensure_schedule(environment: Environment) -> BackupSchedule:
    """The usual schedule of an environment that has none; the first backup is taken at the next
    hour it names."""
    row = BackupSchedule(environment=environment, taken_for=now())
    db.session.add(row)
    db.session.flush()
    return row


def _state(row: BackupSchedule) -> dict[str, object]:
    names = ("is_on", "hour", "zone", "daily", "weekly", "monthly")
    return {name: getattr(row, name) for name in names}
