"""Finding backups, what may be restored where, and what is due. What a worker is asked to do next
stands in `app.backups.due`."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import joinedload, selectinload

from app.accounts.models import User
from app.adapters.services import Content
from app.applications.queries import list_restorable
from app.backups.content import is_backed_up
from app.backups.models import (
    Backup,
    BackupOrigin,
    BackupPart,
    BackupSchedule,
    Download,
    Restoration,
    WorkStatus,
)
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db, now
from app.services.models import ServiceInstance, ServiceState
from app.transactions import once_a_reading

ACTIVE = (WorkStatus.WAITING, WorkStatus.RUNNING)
FRESH = datetime.timedelta(hours=26)
"""A daily backup may be this old: a day, and the time that it takes."""
DRILL_PATIENCE = datetime.timedelta(hours=12)
"""How long a drill is tried again while its server is down; then people are told."""


@dataclass(frozen=True)
class Target:
    """An instance that a part could be restored into. `refusal` says why it cannot, or is empty."""

    instance: ServiceInstance
    refusal: str = ""


def list_backups(environment_id: int) -> Select[Backup]:
    """What pages show, newest first, with parts and who asked: waiting, running, failed and good
    ones; not those being deleted, nor copies on their way."""
    return (
        select(Backup)
        .where(
            Backup.environment_id == environment_id,
            Backup.deletion_began_at.is_(None),
            Backup.origin != BackupOrigin.COPY,
        )
        .options(selectinload(Backup.parts), joinedload(Backup.actor))
        .order_by(Backup.id.desc())
    )


def find_backup(environment_id: int, uuid: str) -> Backup | None:
    """One of `list_backups`."""
    return db.session.scalar(list_backups(environment_id).where(Backup.uuid == uuid))


def find_part(environment_id: int, uuid: str) -> BackupPart | None:
    """A part of one of `list_backups`, in whatever state."""
    return db.session.scalar(
        select(BackupPart)
        .join(BackupPart.backup)
        .where(
            BackupPart.uuid == uuid,
            Backup.environment_id == environment_id,
            Backup.deletion_began_at.is_(None),
            Backup.origin != BackupOrigin.COPY,
        )
    )


def is_good() -> ColumnElement[bool]:
    """For queries over backups: whole, and not found damaged since."""
    return and_(
        Backup.status == WorkStatus.SUCCEEDED,
        Backup.deletion_began_at.is_(None),
        Backup.proof_failed_at.is_(None),
        Backup.origin.not_in((BackupOrigin.COPY, BackupOrigin.BROUGHT)),
    )


@once_a_reading
def find_newest_good(environment_id: int) -> Backup | None:
    """The newest backup that can be restored, or None."""
    return db.session.scalar(
        select(Backup)
        .where(Backup.environment_id == environment_id, is_good())
        .order_by(Backup.id.desc())
        .limit(1)
    )


def find_newest_proved(environment_id: int) -> Backup | None:
    """The newest one that was restored in a drill and found whole, or None (N4)."""
    return db.session.scalar(
        select(Backup)
        .where(Backup.environment_id == environment_id, is_good(), Backup.proved_at.is_not(None))
        .order_by(Backup.id.desc())
        .limit(1)
    )


@once_a_reading
def find_schedule(environment_id: int) -> BackupSchedule | None:
    """None: the environment has had nothing to back up so far; the scheduler makes it then."""
    return db.session.scalar(
        select(BackupSchedule).where(BackupSchedule.environment_id == environment_id)
    )


@once_a_reading
def environments_without_fresh(*application_ids: int) -> frozenset[int]:
    """Those of the applications that are to be backed up daily and have no good backup of the
    last 26 hours. Not in their first 26 hours."""
    backed_up = select(ServiceInstance.environment_id).where(is_backed_up())
    fresh = select(Backup.id).where(
        Backup.environment_id == BackupSchedule.environment_id,
        is_good(),
        Backup.created_at >= now() - FRESH,
    )
    found = db.session.scalars(
        select(BackupSchedule.environment_id)
        .join(BackupSchedule.environment)
        .where(
            Environment.application_id.in_(application_ids),
            BackupSchedule.is_on,
            BackupSchedule.created_at < now() - FRESH,
            BackupSchedule.environment_id.in_(backed_up),
            ~fresh.exists(),
        )
    )
    return frozenset(found)


def list_restorations(environment_id: int) -> Select[Restoration]:
    """Restores into the environment's instances, newest first."""
    return (
        select(Restoration)
        .join(Restoration.instance)
        .where(ServiceInstance.environment_id == environment_id)
        .options(
            joinedload(Restoration.instance),
            joinedload(Restoration.part).joinedload(BackupPart.backup),
            joinedload(Restoration.actor),
        )
        .order_by(Restoration.id.desc())
    )


def find_active_restoration(instance_id: int) -> Restoration | None:
    """The one that waits or runs; there is one at most."""
    return db.session.scalar(
        select(Restoration).where(
            Restoration.instance_id == instance_id, Restoration.status.in_(ACTIVE)
        )
    )


def is_restoring(environment_id: int) -> bool:
    """Whether data of the environment is being overwritten now: deployments wait for it."""
    running = (
        select(Restoration.id)
        .join(Restoration.instance)
        .where(
            ServiceInstance.environment_id == environment_id,
            Restoration.status == WorkStatus.RUNNING,
        )
    )
    return db.session.scalar(running.limit(1)) is not None


def list_restorable_targets(user: User, part: BackupPart) -> list[Target]:
    """Every instance of the part's kind in environments whose data the person may overwrite: those
    of the same environment first, then by application and environment."""
    applications = (
        list_restorable(user)
        .order_by(None)
        .with_only_columns(list_restorable(user).selected_columns.id)
    )
    rows = db.session.scalars(
        select(ServiceInstance)
        .join(ServiceInstance.environment)
        .join(Environment.application)
        .where(
            ServiceInstance.kind == part.kind,
            ServiceInstance.trashed_at.is_(None),
            ServiceInstance.original_id.is_(None),
            Environment.application_id.in_(applications),
            is_in_use(),
        )
        .options(
            joinedload(ServiceInstance.server),
            joinedload(ServiceInstance.environment).joinedload(Environment.application),
        )
    ).all()
    home = part.backup.environment_id

    def order(row: ServiceInstance) -> tuple[bool, str, int, str]:
        environment = row.environment
        return (environment.id != home, environment.application.slug, environment.id, row.prefix)

    active = select(Restoration.instance_id).where(Restoration.status.in_(ACTIVE))
    busy = set(db.session.scalars(active))
    return [Target(row, _explain(part, row, row.id in busy)) for row in sorted(rows, key=order)]


def explain_refusal(part: BackupPart, instance: ServiceInstance) -> str:
    """Why the part cannot be restored into the instance, in a sentence; empty when it can."""
    return _explain(part, instance, find_active_restoration(instance.id) is not None)


def _explain(part: BackupPart, instance: ServiceInstance, is_busy: bool) -> str:
    if part.backup.deletion_began_at or part.status == WorkStatus.FAILED:
        return "This part of the backup is not there: it failed, or it is being deleted."
    if part.status != WorkStatus.SUCCEEDED and part.backup.origin != BackupOrigin.COPY:
        return "The backup has not been taken yet. Wait until it is done."
    if part.kind != instance.kind:
        return "It is a backup of another kind of service. Choose one of the same kind."
    if instance.trashed_at or instance.state == ServiceState.REMOVING:
        return "This service is in the trash. Restore it from there first."
    if instance.original_id is not None:
        return "This service is shared by another environment. Restore into it there."
    if not instance.is_functional and part.backup.origin != BackupOrigin.COPY:
        return "This service is not provisioned yet. Provision it first, or deploy."
    if part.content == Content.DATABASE and _is_newer(part.version, instance.server.version):
        return (
            f"The backup is of version {part.version}; this server has {instance.server.version} "
            "and cannot read it. Choose a service of the same version or a newer one."
        )
    if is_busy:
        return "Another restore into this service waits or runs. Wait until it has ended."
    return ""


def _is_newer(version: str, other: str) -> bool:
    """Compares numbers, as far as both have them; what has none is not compared."""
    pairs = zip(_numbers(version), _numbers(other), strict=False)
    return next((one > two for one, two in pairs if one != two), False)


def _numbers(version: str) -> list[int]:
    leading = re.match(r"[0-9.]*", version)
    return [int(text) for text in (leading.group() if leading else "").split(".") if text]


def find_download(token: str) -> Download | None:
    """The prepared download that this link opens; None when it has expired or never was."""
    return db.session.scalar(
        select(Download).where(
            Download.token_hash == hash_of(token),
            Download.status == WorkStatus.SUCCEEDED,
            Download.expires_at > now(),
        )
    )


def list_downloads(user_id: int, part_ids: Sequence[int]) -> Sequence[Download]:
    """The person's own of these parts that wait, run, failed or can be fetched, newest first."""
    return db.session.scalars(
        select(Download)
        .where(Download.actor_id == user_id, Download.part_id.in_(part_ids))
        .where(Download.is_for_program.is_(False))
        .where(Download.expires_at.is_(None) | (Download.expires_at > now()))
        .order_by(Download.id.desc())
    ).all()


def hash_of(token: str) -> str:
    """What is kept of the end of a link: nobody who reads the database can fetch."""
    return hashlib.sha256(token.encode()).hexdigest()
