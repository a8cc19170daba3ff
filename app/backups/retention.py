"""Which backups are kept (L6217–6245, checklist Part 2): a pure plan, and carrying it out.

Scheduled ones are kept by a process. The newest seven are daily. The oldest beyond them becomes
weekly when a week lies between it and the last one that did, and goes otherwise; the oldest weekly
beyond four becomes monthly when four weeks lie between, and goes otherwise; the oldest monthly
beyond twelve goes. It counts backups and not days, so that a panel that was down for a month has
lost nothing when it comes back, and a night that failed pushes no good backup out.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.backups.models import Backup, BackupOrigin, BackupSchedule, BackupTier, WorkStatus
from app.backups.operations import doom, is_in_use
from app.backups.queries import find_schedule
from app.extensions import db, now

WEEK = datetime.timedelta(days=6, hours=12)
MONTH = datetime.timedelta(days=27, hours=12)
"""A week and four weeks, less half a day: one backup is taken sooner after its hour than another,
and clocks are put forward. Twelve times four weeks and the weeks before span a year."""
COPY_DAYS = 1


@dataclass(frozen=True)
class Policy:
    """How many scheduled backups of each tier are kept, and of other ones all younger than `days`
    and the `older` newest beyond."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12
    days: int = 30
    older: int = 3


@dataclass(frozen=True)
class Kept:
    """A backup that has ended, as the plan sees it. `is_good`: it can be restored."""

    id: int
    origin: BackupOrigin
    tier: BackupTier | None
    taken_at: datetime.datetime
    is_good: bool = True


@dataclass
class Plan:
    """What is to change: new tiers by number, and which go."""

    tiers: dict[int, BackupTier] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)


def plan_retention(backups: Iterable[Kept], policy: Policy, moment: datetime.datetime) -> Plan:
    """The plan for one environment's backups at `moment`. Carried out, a second plan of the same
    moment is empty. Failed ones are kept for `policy.days` and count for nothing."""
    plan = Plan()
    rows = sorted(backups, key=lambda row: (row.taken_at, row.id))
    limit = moment - datetime.timedelta(days=policy.days)
    plan.removed += [row.id for row in rows if not row.is_good and row.taken_at < limit]
    good = [row for row in rows if row.is_good]
    _plan_scheduled([row for row in good if row.origin == BackupOrigin.SCHEDULED], policy, plan)
    # Each by itself: many restores push out nothing that a person took on purpose.
    for origin in (BackupOrigin.ON_DEMAND, BackupOrigin.SAFETY, BackupOrigin.BROUGHT):
        older = [row for row in good if row.origin == origin and row.taken_at < limit]
        plan.removed += [row.id for row in older[: max(0, len(older) - policy.older)]]
    arrived = moment - datetime.timedelta(days=COPY_DAYS)
    plan.removed += [
        row.id for row in good if row.origin == BackupOrigin.COPY and row.taken_at < arrived
    ]
    return plan


def _plan_scheduled(rows: Sequence[Kept], policy: Policy, plan: Plan) -> None:
    """`rows` from the oldest on."""
    tiers = {tier: [row for row in rows if row.tier == tier] for tier in BackupTier}
    daily, weekly, monthly = tiers.values()
    while len(daily) > policy.daily:
        _promote(daily.pop(0), weekly, [*weekly, *monthly], WEEK, BackupTier.WEEKLY, plan)
    while len(weekly) > policy.weekly:
        _promote(weekly.pop(0), monthly, monthly, MONTH, BackupTier.MONTHLY, plan)
    while len(monthly) > policy.monthly:
        plan.removed.append(monthly.pop(0).id)
    for number in plan.removed:
        plan.tiers.pop(number, None)


def _promote(
    row: Kept,
    tier: list[Kept],
    before: Sequence[Kept],
    apart: datetime.timedelta,
    name: BackupTier,
    plan: Plan,
) -> None:
    """Into the next tier, if it is far enough from the newest that is there or beyond."""
    newest = max((other.taken_at for other in before), default=None)
    if newest is None or row.taken_at - newest >= apart:
        tier.append(row)
        plan.tiers[row.id] = name
    else:
        plan.removed.append(row.id)


def apply_retention(environment_id: int) -> None:
    """Carry the plan out: tiers now, deletions by jobs. One that is in use is left for the next
    time. Belongs into a unit of work."""
    rows = {
        row.id: row
        for row in db.session.scalars(
            select(Backup)
            .where(
                Backup.environment_id == environment_id,
                Backup.status.in_((WorkStatus.SUCCEEDED, WorkStatus.FAILED)),
                Backup.deletion_began_at.is_(None),
            )
            .options(selectinload(Backup.parts))
        )
    }
    plan = plan_retention(map(_kept, rows.values()), _policy(find_schedule(environment_id)), now())
    for number, tier in plan.tiers.items():
        rows[number].tier = tier
    expired = [row.id for row in rows.values() if row.expires_at and row.expires_at < now()]
    for number in {*plan.removed, *expired}:
        if not is_in_use(rows[number]):
            doom(rows[number])


def _kept(row: Backup) -> Kept:
    is_good = row.status == WorkStatus.SUCCEEDED and row.proof_failed_at is None
    return Kept(row.id, row.origin, row.tier, row.started_at or row.created_at, is_good)


def _policy(schedule: BackupSchedule | None) -> Policy:
    if schedule is None:
        return Policy()
    return Policy(schedule.daily, schedule.weekly, schedule.monthly)
