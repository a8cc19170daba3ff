"""Daily backups: once a day each, one after the other, missed by nobody unseen."""

from __future__ import annotations

import datetime

import pytest

from app.accounts.models import FailureNotices
from app.adapters.services import ServiceKind
from app.backups import due
from app.backups.content import list_backed_up
from app.backups.models import Backup, BackupOrigin, BackupSchedule, BackupTier, WorkStatus
from app.backups.operations import Schedule, begin_backup, set_schedule
from app.backups.queries import environments_without_fresh, find_newest_good, find_schedule
from app.errors import Invalid
from app.extensions import db, now
from app.processes.scheduler import Recurring, enqueue_what_is_due
from tests.backups import data
from tests.panel import ADAM, ALICE, BOB, DORA, EVE, Panel, application, environment, user_of

DAY = datetime.timedelta(days=1)


def scheduled(panel: Panel) -> list[Backup]:
    with panel.reading():
        rows = db.select(Backup).where(Backup.origin == BackupOrigin.SCHEDULED)
        return list(db.session.scalars(rows.order_by(Backup.id)))


def look(panel: Panel) -> None:
    """What the scheduler has done each minute."""
    data.run(panel, "take_due_backups")


def let_pass(panel: Panel, span: datetime.timedelta) -> None:
    """All that was, was so much earlier."""
    with panel.work():
        for row in db.session.scalars(db.select(BackupSchedule)):
            row.created_at -= span
            row.taken_for = row.taken_for and row.taken_for - span
            row.absence_told_at = row.absence_told_at and row.absence_told_at - span
        for backup in db.session.scalars(db.select(Backup)):
            backup.created_at -= span


def test_once_a_day_also_when_the_panel_was_down_at_the_hour(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, "live", ServiceKind.REDIS, version="1")
    look(panel)
    assert scheduled(panel) == [], "the first is taken at the next hour"
    for days in (1, 1, 5):
        let_pass(panel, days * DAY)
        before = len(scheduled(panel))
        look(panel)
        look(panel)
        data.run_jobs(panel)
        look(panel)
        assert len(scheduled(panel)) == before + 1
    rows = scheduled(panel)
    assert {row.status for row in rows} == {WorkStatus.SUCCEEDED}
    assert {row.tier for row in rows} == {BackupTier.DAILY}
    with panel.reading():
        assert {row.environment_id for row in rows} == {environment("test").id}
        assert find_schedule(environment("live").id) is None
        newest = find_newest_good(environment().id)
        assert newest and newest.id == rows[-1].id


def test_what_is_off_or_in_the_trash_takes_none_and_keeps_its_own(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, "live")
    look(panel)
    data.take(panel)
    with panel.work():
        set_schedule(environment("live"), Schedule(is_on=False), user_of(ALICE))
        environment("test").trashed_at = now()
    let_pass(panel, 3 * DAY)
    look(panel)
    data.run(panel, "tidy_backups")
    assert scheduled(panel) == [] and len(data.stored(panel)) == 1
    assert data.letters(panel) == []


def test_they_go_one_after_the_other(panel: Panel) -> None:
    for where in ("test", "live"):
        data.fill(panel, where)
    look(panel)
    let_pass(panel, DAY)
    look(panel)
    first, second = (row.id for row in scheduled(panel))
    with panel.work():
        db.session.get_one(Backup, first).status = WorkStatus.RUNNING
        db.session.get_one(Backup, first).heartbeat_at = now()
    data.run(panel, "take", second)
    assert scheduled(panel)[1].status == WorkStatus.WAITING
    with panel.work():
        db.session.get_one(Backup, first).status = WorkStatus.WAITING
    panel.queue.jobs.clear()
    panel.queue.keys.clear()
    with panel.reading():
        assert [item.number for item in due.list_due_work()] == [first]
    data.run(panel, "take", first)
    assert ("app.backups.jobs.take", (second,)) in panel.queue.jobs
    data.run_jobs(panel)
    assert {row.status for row in scheduled(panel)} == {WorkStatus.SUCCEEDED}
    assert all(row.proved_at for row in scheduled(panel))


def is_fresh_missing() -> bool:
    return environment().id in environments_without_fresh(application().id)


def test_the_absence_of_a_fresh_one_is_told(panel: Panel) -> None:
    data.fill(panel)
    data.backend_of(panel).failures["backup"] = "The server went away."
    look(panel)
    with panel.reading():
        assert not is_fresh_missing(), "it is new"
    with panel.work():
        user_of(BOB).failure_notices = user_of(DORA).failure_notices = FailureNotices.ALL
        user_of(EVE).failure_notices = FailureNotices.ALL
        user_of(ADAM).failure_notices = FailureNotices.NONE
    let_pass(panel, 2 * DAY)
    look(panel)
    data.run_jobs(panel)
    look(panel)
    with panel.reading():
        assert is_fresh_missing()
    told = [(who.split("@")[0], subject) for who, subject, _ in data.letters(panel)]
    absent, failed = "Demo: Test has no fresh backup", "Demo: backup of Test failed"
    readers = ("alice", "dora", "eve")
    assert told == [*((who, absent) for who in readers), *((who, failed) for who in readers)]
    for days, more in ((1, 1), (7, 2)):
        let_pass(panel, days * DAY)
        look(panel)
        data.run_jobs(panel)
        absences = [subject for _, subject, _ in data.letters(panel) if subject == absent]
        assert len(absences) == 3 * more, "told again after a week only"
    data.backend_of(panel).failures.clear()
    data.take(panel)
    with panel.reading():
        assert not is_fresh_missing()
        schedule = find_schedule(environment().id)
        assert schedule and schedule.absence_told_at is None


def test_what_a_schedule_may_say(panel: Panel) -> None:
    for wrong, field in (
        (Schedule(hour=24), "hour"),
        (Schedule(zone="Europe/Atlantis"), "zone"),
        (Schedule(daily=0), "daily"),
        (Schedule(monthly=401), "monthly"),
    ):
        with panel.work(), pytest.raises(Invalid) as raised:
            set_schedule(environment(), wrong, user_of(ALICE))
        assert raised.value.field == field
    with panel.work():
        set_schedule(environment(), Schedule(hour=5, zone="Asia/Tokyo", monthly=0), user_of(ALICE))
    with panel.reading():
        row = find_schedule(environment().id)
        assert row and (row.hour, row.zone, row.monthly) == (5, "Asia/Tokyo", 0)


def test_old_ones_go_after_each_new_one(panel: Panel) -> None:
    data.fill(panel)
    with panel.work():
        set_schedule(environment(), Schedule(daily=1, weekly=1, monthly=1), user_of(ALICE))
    for _ in range(4):
        let_pass(panel, DAY)
        with panel.work():
            for row in db.session.scalars(db.select(Backup)):
                row.started_at = row.started_at and row.started_at - DAY
        look(panel)
        data.run_jobs(panel)
    assert [row.tier for row in scheduled(panel)] == [BackupTier.WEEKLY, BackupTier.DAILY]
    assert len(data.stored(panel)) == 2, "files go with their rows"


def test_the_scheduler_has_lost_work_recovered_and_what_waits_begun(panel: Panel) -> None:
    data.fill(panel)
    lost, waiting = data.ask(panel, "test"), None
    with panel.work():
        row = data.backup(lost)
        row.status, row.lease_token = WorkStatus.RUNNING, "token"
        row.heartbeat_at = now() - datetime.timedelta(minutes=5)
        lost_id = row.id
    data.fill(panel, "live")
    waiting = data.ask(panel, "live")
    with panel.reading():
        waiting_id = data.backup(waiting).id
    panel.queue.jobs.clear()
    with panel.reading():
        enqueue_what_is_due(Recurring())
    jobs = set(panel.queue.jobs)
    assert {
        ("app.backups.jobs.recover_backup", (lost_id,)),
        ("app.backups.jobs.take", (waiting_id,)),
        (due.TAKE_DUE_JOB, ()),
        (due.TIDY_JOB, ()),
    } <= jobs


def test_a_copy_is_no_fresh_backup(panel: Panel) -> None:
    """What is taken to fill another environment says nothing of the daily ones."""
    data.fill(panel)
    look(panel)
    with panel.work():
        schedule = find_schedule(environment().id)
        assert schedule
        schedule.absence_told_at = now()
        instances = list_backed_up(environment().id)
        begin_backup(environment(), instances, BackupOrigin.COPY, user_of(ALICE))
    data.run_jobs(panel)
    with panel.reading():
        schedule = find_schedule(environment().id)
        assert schedule and schedule.absence_told_at
    data.take(panel)
    with panel.reading():
        schedule = find_schedule(environment().id)
        assert schedule and schedule.absence_told_at is None
