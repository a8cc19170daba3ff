"""Backups and restores of a site in every state that the pages can show."""

from __future__ import annotations

import datetime

from app.accounts.models import User
from app.backups.content import CONTENT_OF, list_backed_up
from app.backups.models import (
    Backup,
    BackupOrigin,
    BackupPart,
    BackupSchedule,
    BackupTier,
    Download,
    Restoration,
    WorkStatus,
)
from app.backups.queries import hash_of
from app.environments.models import Environment
from app.extensions import db, now
from app.services.models import ServiceInstance

GOOD = "00000000-0000-4000-8000-0000000000f1"
GOOD_PART = "00000000-0000-4000-8000-0000000000f2"
RUNNING = "00000000-0000-4000-8000-0000000000f3"
FAILED = "00000000-0000-4000-8000-0000000000f4"
SERVICE = "00000000-0000-4000-8000-0000000000f5"
LINK = "of-a-download"
MB = 1024**2


def seed_backups(live: Environment, test: Environment, owner: User) -> None:
    """On Live daily, weekly and monthly ones, one that runs and what has gone wrong; on Test
    nothing but a schedule, so that a fresh one is missing."""
    for environment in (live, test):
        since = now() - datetime.timedelta(days=200)
        db.session.add(BackupSchedule(environment=environment, created_at=since))
    instances = [row for row in list_backed_up(live.id) if row.prefix == "DEFAULT"]
    instances[0].uuid = SERVICE
    for days, tier in ((150, BackupTier.MONTHLY), (15, BackupTier.WEEKLY), (2, BackupTier.DAILY)):
        _add(live, instances, days, tier=tier).proved_at = _before(days)
    damaged = _add(live, instances, 1.6, tier=BackupTier.DAILY)
    damaged.proof_failed_at = _before(1)
    damaged.proof_sentence = "PostgreSQL “DEFAULT”: the table “orders” has lost 12 rows."
    failed = _add(live, instances, 1.2, actor=owner, status=WorkStatus.FAILED)
    failed.uuid, failed.sentence = FAILED, "PostgreSQL “DEFAULT”: The server does not answer."
    for part in failed.parts:
        part.status, part.sentence, part.plain_bytes = WorkStatus.FAILED, failed.sentence, 0
    safety = _add(live, instances, 0.9)
    safety.origin = BackupOrigin.SAFETY
    good = _add(live, instances, 0.3, actor=owner)
    good.uuid, good.note, good.parts[0].uuid = GOOD, "before the new shop", GOOD_PART
    running = _add(live, instances, 0.001, actor=owner, status=WorkStatus.RUNNING)
    running.uuid, running.ended_at, running.parts[0].status = RUNNING, None, WorkStatus.RUNNING
    _restore(
        good, instances[0], owner, WorkStatus.FAILED, 0.8
    ).sentence = "The dump is damaged. Nothing was overwritten."
    _restore(good, instances[0], owner, WorkStatus.SUCCEEDED, 0.7).safety_backup = safety
    _restore(good, instances[-1], owner, WorkStatus.WAITING, 0)
    db.session.add(
        Download(
            part=good.parts[0],
            actor=owner,
            status=WorkStatus.SUCCEEDED,
            token_hash=hash_of(LINK),
            bytes=48 * MB,
            expires_at=now() + datetime.timedelta(hours=20),
        )
    )


def _before(days: float) -> datetime.datetime:
    return now() - datetime.timedelta(days=days)


def _add(
    environment: Environment,
    instances: list[ServiceInstance],
    days: float,
    *,
    actor: User | None = None,
    tier: BackupTier | None = None,
    status: WorkStatus = WorkStatus.SUCCEEDED,
) -> Backup:
    row = Backup(
        environment=environment,
        actor=actor,
        origin=BackupOrigin.SCHEDULED if tier else BackupOrigin.ON_DEMAND,
        tier=tier,
        status=status,
        created_at=_before(days),
        started_at=_before(days),
        ended_at=_before(days) + datetime.timedelta(seconds=83),
        parts=[_part(instance) for instance in instances],
    )
    db.session.add(row)
    db.session.flush()
    return row


def _part(instance: ServiceInstance) -> BackupPart:
    return BackupPart(
        instance=instance,
        content=CONTENT_OF[instance.kind],
        kind=instance.kind,
        version=instance.server.version,
        prefix=instance.prefix,
        status=WorkStatus.SUCCEEDED,
        stored_bytes=14 * MB,
        plain_bytes=48 * MB,
        sha256="3f" * 32,
        plain_sha256="a7" * 32,
        contents={"counts": {"orders": 18_204, "customers": 961}, "digest": "1"},
    )


def _restore(
    backup: Backup, instance: ServiceInstance, actor: User, status: WorkStatus, days: float
) -> Restoration:
    row = Restoration(
        part=next(part for part in backup.parts if part.kind == instance.kind),
        source=f"riverside-bakery/live, {instance.name}, {backup.created_at:%Y-%m-%d %H:%M} UTC",
        instance=instance,
        actor=actor,
        status=status,
        created_at=_before(days),
    )
    db.session.add(row)
    db.session.flush()
    return row
