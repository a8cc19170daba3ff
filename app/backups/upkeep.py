"""What the scheduler has done again and again: daily backups, notices of absence, tidying up."""

from __future__ import annotations

import datetime
import itertools
import logging
import zoneinfo
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.adapters.backup_store import Stored
from app.backups import downloading, notices, proving, uploading
from app.backups.content import is_backed_up, list_backed_up
from app.backups.models import (
    Backup,
    BackupOrigin,
    BackupPart,
    BackupSchedule,
    WorkStatus,
)
from app.backups.operations import begin_backup, ensure_schedule
from app.backups.queries import ACTIVE, FRESH, find_newest_good, find_schedule, is_good
from app.backups.retention import apply_retention
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.errors import PanelError
from app.extensions import db, now
from app.installation import installation
from app.services.models import ServiceInstance
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

REMINDER = datetime.timedelta(days=7)
"""People are told again of a backup that stays absent."""
ABANDONED = datetime.timedelta(days=1)
"""A draft that no row knows, e.g. after the panel itself was restored from a backup."""
PORTION = 500


def take_due() -> None:
    """Begin the daily backups whose hour has come, one for each environment and day, also when the
    panel was down at that hour; and tell of environments without a fresh one."""
    for number in _list_due():
        with unit_of_work():
            environment = db.session.get(Environment, number, with_for_update={"key_share": True})
            if environment is not None and not environment.is_trashed:
                _look_at(environment)


def _list_due() -> Sequence[int]:
    """Environments in use with data that works, for which there is something to do. Read first:
    each minute of each of hundreds a unit of work would keep others from writing."""
    newest = {
        row.environment_id: row.newest
        for row in db.session.execute(
            select(Backup.environment_id, func.max(Backup.created_at).label("newest"))
            .where(is_good())
            .group_by(Backup.environment_id)
        )
    }
    instances = select(ServiceInstance.environment_id).where(is_backed_up())
    rows = db.session.execute(
        select(Environment.id, BackupSchedule)
        .outerjoin(BackupSchedule, BackupSchedule.environment_id == Environment.id)
        .where(is_in_use(), Environment.id.in_(instances))
        .order_by(Environment.id)
    ).all()
    found = [
        number
        for number, schedule in rows
        if schedule is None
        or (schedule.is_on and (_is_due(schedule) or _is_absent(schedule, newest.get(number))))
    ]
    end_reading()
    return found


def _look_at(environment: Environment) -> None:
    schedule = find_schedule(environment.id) or ensure_schedule(environment)
    if not schedule.is_on:
        return
    if _is_due(schedule):
        schedule.taken_for = now()
        instances = list_backed_up(environment.id)
        if instances:
            begin_backup(environment, instances, BackupOrigin.SCHEDULED, None)
    newest = find_newest_good(environment.id)
    if _is_absent(schedule, newest.created_at if newest else None):
        schedule.absence_told_at = now()
        notices.tell_of_absence(environment, newest)


def _is_due(schedule: BackupSchedule) -> bool:
    due = last_due(schedule.hour, schedule.zone, now())
    return schedule.taken_for is None or schedule.taken_for < due


def _is_absent(schedule: BackupSchedule, newest: datetime.datetime | None) -> bool:
    """Whether people are to be told that there is no fresh one: once, and each week that it lasts.
    A good backup takes it back (`close_backup`)."""
    moment = now()
    told = schedule.absence_told_at
    if schedule.created_at > moment - FRESH or (told and told > moment - REMINDER):
        return False
    return newest is None or newest < moment - FRESH


def last_due(hour: int, zone: str, moment: datetime.datetime) -> datetime.datetime:
    """The last moment at which it was `hour` in `zone`. An hour that the clock skips is the one
    after it; of one that comes twice it is the first."""
    local = zoneinfo.ZoneInfo(zone)
    today = moment.astimezone(local).date()
    for days in itertools.count():
        day = today - datetime.timedelta(days=days)
        due = datetime.datetime.combine(day, datetime.time(hour), local).astimezone(datetime.UTC)
        if due <= moment:
            return due
    raise RuntimeError("there was a yesterday")


def tidy() -> None:
    """Retention everywhere, and whatever killed workers left behind."""
    for number in db.session.scalars(select(Backup.environment_id).distinct()).all():
        with unit_of_work():
            apply_retention(number)
    downloading.sweep()
    uploading.sweep()
    for act in (proving.sweep, sweep_store):
        try:
            act()
        except PanelError as error:
            db.session.rollback()
            logger.warning("tidying up goes on later: %s", error.sentence)


def sweep_store() -> None:
    """Remove from the store what no good part stands for. What was published and has no row stays:
    the panel itself may have been restored to a time before it."""
    store = installation().adapters.backup_store
    for portion in _portions(store.list_stored()):
        rows = {
            row.uuid: row
            for row in db.session.scalars(
                select(BackupPart)
                .where(BackupPart.uuid.in_([item.name for item in portion]))
                .options(joinedload(BackupPart.backup))
            )
        }
        doomed = [item for item in portion if _is_left_over(item, rows.get(item.name))]
        end_reading()
        for item in doomed:
            if item.is_draft:
                store.delete_draft(item.name)
            else:
                store.delete(item.name)


def _is_left_over(item: Stored, part: BackupPart | None) -> bool:
    if part is None:
        return item.is_draft and item.changed_at < now() - ABANDONED
    if part.status == WorkStatus.SUCCEEDED:
        return item.is_draft
    return part.status not in ACTIVE


def _portions(items: Iterator[Stored]) -> Iterator[list[Stored]]:
    while portion := list(itertools.islice(items, PORTION)):
        yield portion


def delete(backup_id: int) -> None:
    """Delete a doomed backup: its files first, the row last. Raises `Unavailable` when the store
    does not answer; the scheduler asks again."""
    backup = db.session.get(Backup, backup_id)
    if backup is None or backup.deletion_began_at is None:
        return
    delete_files([part.uuid for part in backup.parts])
    with unit_of_work():
        row = db.session.get(Backup, backup_id)
        if row is not None:
            db.session.delete(row)


def delete_files(names: Sequence[str]) -> None:
    end_reading()
    store = installation().adapters.backup_store
    for name in names:
        store.delete(name)
