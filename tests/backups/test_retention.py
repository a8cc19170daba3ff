"""Which backups are kept: two years of calendar, simulated day by day."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.backups.models import Backup, BackupOrigin, BackupTier, WorkStatus
from app.backups.operations import begin_backup
from app.backups.retention import Kept, Policy, apply_retention, plan_retention
from app.backups.upkeep import last_due
from app.extensions import db, now
from tests.panel import Panel, environment

ZURICH = zoneinfo.ZoneInfo("Europe/Zurich")
START = datetime.datetime(2027, 3, 1, 2, tzinfo=datetime.UTC)
"""Two years from here on hold a leap day (2028-02-29) and four changes of the clock."""
DAYS = 731
DAY = datetime.timedelta(days=1)
USUAL = Policy()


class Calendar:
    """One environment's backups, day by day."""

    def __init__(self, policy: Policy = USUAL) -> None:
        self.policy = policy
        self.kept: list[Kept] = []
        self._number = 0

    def take(
        self,
        moment: datetime.datetime,
        origin: BackupOrigin = BackupOrigin.SCHEDULED,
        *,
        is_good: bool = True,
    ) -> None:
        self._number += 1
        tier = BackupTier.DAILY if origin == BackupOrigin.SCHEDULED else None
        self.kept.append(Kept(self._number, origin, tier, moment, is_good))

    def tidy(self, moment: datetime.datetime) -> None:
        plan = plan_retention(self.kept, self.policy, moment)
        assert not set(plan.tiers) & set(plan.removed)
        self.kept = [
            replace(row, tier=plan.tiers.get(row.id, row.tier))
            for row in self.kept
            if row.id not in plan.removed
        ]
        again = plan_retention(self.kept, self.policy, moment)
        assert (again.tiers, again.removed) == ({}, []), "a second time changes nothing"

    def of(self, tier: BackupTier) -> list[datetime.datetime]:
        return sorted(row.taken_at for row in self.kept if row.tier == tier and row.is_good)

    def counts(self) -> tuple[int, int, int]:
        found = Counter(row.tier for row in self.kept if row.is_good)
        return found[BackupTier.DAILY], found[BackupTier.WEEKLY], found[BackupTier.MONTHLY]


def hour_of(day: int) -> datetime.datetime:
    """03:00 in Zurich on that day, and the minutes that a night of many takes."""
    local = datetime.datetime.combine(START.date() + day * DAY, datetime.time(3), ZURICH)
    return local.astimezone(datetime.UTC) + datetime.timedelta(minutes=day * 37 % 200)


def test_two_years_day_by_day() -> None:
    """After a year: twelve monthly, four weekly, seven daily, spanning year, month and week."""
    calendar = Calendar()
    for day in range(DAYS):
        moment = hour_of(day)
        calendar.take(moment)
        calendar.tidy(moment)
        daily, weekly, monthly = map(calendar.of, BackupTier)
        assert len(daily) == min(day + 1, 7)
        assert moment - daily[0] < 7 * DAY, "seven daily ones span the last week"
        if day >= 34:
            assert len(weekly) == 4
            assert 27 * DAY < moment - weekly[0] < 36 * DAY, "four weekly ones span a month"
        if day >= 365:
            assert calendar.counts() == (7, 4, 12)
            assert 330 * DAY < moment - monthly[0] < 372 * DAY, "twelve span the last year"
        gaps = [later - earlier for earlier, later in itertools.pairwise(monthly)]
        assert all(gap < 29 * DAY for gap in gaps)


@settings(max_examples=25)
@given(
    missed=st.sets(st.integers(0, DAYS - 1), max_size=120),
    failed=st.sets(st.integers(0, DAYS - 1), max_size=120),
    down=st.tuples(st.integers(0, DAYS - 1), st.integers(0, 60)),
)
def test_missed_days_failed_nights_and_weeks_without_a_panel(
    missed: set[int], failed: set[int], down: tuple[int, int]
) -> None:
    """Nothing good is lost for want of new ones, and there is always a good one where there was."""
    calendar = Calendar()
    taken: list[datetime.datetime] = []
    for day in range(DAYS):
        moment = hour_of(day)
        if day in missed or down[0] <= day < sum(down):
            continue  # nobody took one, and nobody tidied up
        calendar.take(moment, is_good=day not in failed)
        if day not in failed:
            taken.append(moment)
        calendar.tidy(moment)
        assert calendar.of(BackupTier.DAILY) == taken[-7:]
        if len(taken) > 35:
            assert len(calendar.of(BackupTier.WEEKLY)) in {3, 4}
        bad = [row for row in calendar.kept if not row.is_good]
        assert all(row.taken_at > moment - 30 * DAY for row in bad)
    weekly, monthly = calendar.of(BackupTier.WEEKLY), calendar.of(BackupTier.MONTHLY)
    for tier, least in ((weekly, 6), (monthly, 27)):
        pairs = itertools.pairwise(tier)
        assert all(later - earlier > least * DAY for earlier, later in pairs)
    assert len(weekly) == 4
    assert 9 <= len(monthly) <= 12
    assert calendar.kept[-1].taken_at - monthly[0] > 300 * DAY


@settings(max_examples=20)
@given(policy=st.builds(Policy, st.integers(1, 20), st.integers(0, 9), st.integers(0, 30)))
def test_other_policies(policy: Policy) -> None:
    calendar = Calendar(policy)
    for day in range(400):
        calendar.take(hour_of(day))
        calendar.tidy(hour_of(day))
    daily, weekly, monthly = calendar.counts()
    assert daily == policy.daily
    assert weekly == policy.weekly
    assert monthly <= policy.monthly


def test_a_stricter_policy_takes_effect_and_a_wider_one_keeps_what_is_there() -> None:
    calendar = Calendar()
    for day in range(400):
        calendar.take(hour_of(day))
        calendar.tidy(hour_of(day))
    calendar.policy = Policy(daily=3, weekly=1, monthly=2)
    calendar.tidy(hour_of(400))
    assert calendar.counts() == (3, 1, 2)
    calendar.policy = USUAL
    calendar.tidy(hour_of(400))
    assert calendar.counts() == (3, 1, 2)


@pytest.mark.parametrize("origin", [BackupOrigin.ON_DEMAND, BackupOrigin.SAFETY])
def test_those_that_people_took(origin: BackupOrigin) -> None:
    """All younger than 30 days; of older ones the three newest, without end (L6225)."""
    calendar = Calendar()
    for day in range(0, 60, 4):
        calendar.take(START + day * DAY, origin)
    calendar.tidy(START + 60 * DAY)
    ages = [(START + 60 * DAY - row.taken_at).days for row in calendar.kept]
    assert ages == [40, 36, 32, 28, 24, 20, 16, 12, 8, 4]
    calendar.tidy(START + 5000 * DAY)
    assert [(row.taken_at - START).days for row in calendar.kept] == [48, 52, 56]


def test_each_kind_counts_for_itself() -> None:
    calendar = Calendar()
    for day in range(6):
        calendar.take(START + day * DAY, BackupOrigin.ON_DEMAND)
        calendar.take(START + day * DAY, BackupOrigin.SAFETY)
        calendar.take(START + day * DAY)
        calendar.take(START + day * DAY, is_good=False)
    calendar.tidy(START + 100 * DAY)
    found = Counter((row.origin, row.is_good) for row in calendar.kept)
    assert found == {
        (BackupOrigin.ON_DEMAND, True): 3,
        (BackupOrigin.SAFETY, True): 3,
        (BackupOrigin.SCHEDULED, True): 6,
    }


@pytest.mark.parametrize(
    ("moment", "hour", "due"),
    [
        ("2027-06-01T00:59", 3, "2027-05-31T01:00"),  # summer: 03:00 is 01:00 UTC
        ("2027-06-01T01:00", 3, "2027-06-01T01:00"),
        ("2027-12-01T02:30", 3, "2027-12-01T02:00"),
        ("2027-03-28T12:00", 2, "2027-03-28T01:00"),  # 02:00 is skipped that night
        ("2027-10-31T00:30", 2, "2027-10-31T00:00"),  # 02:00 comes twice: the first
        ("2027-10-31T01:30", 2, "2027-10-31T00:00"),
        ("2028-03-01T00:00", 3, "2028-02-29T02:00"),
    ],
)
def test_the_hour_in_its_zone(moment: str, hour: int, due: str) -> None:
    def utc(text: str) -> datetime.datetime:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)

    assert last_due(hour, "Europe/Zurich", utc(moment)) == utc(due)


def test_a_day_has_one_hour_of_each_also_when_the_clock_changes() -> None:
    moments = [START + datetime.timedelta(hours=number) for number in range(24 * DAYS)]
    found = {last_due(2, "Europe/Zurich", moment) for moment in moments}
    assert len({due.astimezone(ZURICH).date() for due in found}) == len(found)
    assert DAYS <= len(found) <= DAYS + 1


def test_one_that_could_not_be_restored_pushes_out_nothing(panel: Panel) -> None:
    """Eight younger ones whose proof failed, of which seven would fill the days."""
    with panel.work():
        here = environment()
        for days in range(9, 0, -1):
            moment = now() - days * DAY
            row = begin_backup(here, [], BackupOrigin.SCHEDULED, None)
            row.status, row.started_at = WorkStatus.SUCCEEDED, moment
            row.proof_failed_at = moment if days < 9 else None
        apply_retention(here.id)
    with panel.reading():
        rows = db.session.scalars(db.select(Backup).order_by(Backup.started_at)).all()
        assert rows[0].tier == BackupTier.DAILY and rows[0].deletion_began_at is None
