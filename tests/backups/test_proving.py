"""The restore drill (N4): every scheduled backup is proved, a damaged one found the same night."""

from __future__ import annotations

import datetime

import pytest

from app.adapters.services import ServiceKind
from app.adapters.services.fake import FakeBackend
from app.backups.models import Backup, DrillInstance, WorkStatus
from app.backups.queries import find_newest_good, find_newest_proved
from app.extensions import db, now
from tests.backups import data
from tests.backups.test_schedule import DAY, let_pass, look, scheduled
from tests.panel import ADAM, ALICE, Panel, environment


def take_scheduled(panel: Panel, *, proves: bool = True) -> Backup:
    """One daily backup, with its drill or before it."""
    look(panel)
    let_pass(panel, DAY)
    look(panel)
    if not proves:
        number = scheduled(panel)[-1].id
        panel.queue.jobs.clear()
        data.run(panel, "take", number)
        panel.queue.jobs.clear()
    data.run_jobs(panel)
    return scheduled(panel)[-1]


def keys(panel: Panel, kind: ServiceKind = ServiceKind.POSTGRESQL) -> int:
    """How many instances there are on the servers."""
    return len(data.backend_of(panel, kind).data)


def drills(panel: Panel) -> int:
    with panel.reading():
        return db.session.scalar(db.select(db.func.count(DrillInstance.id))) or 0


def test_every_scheduled_backup_is_restored_for_a_trial(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    row = take_scheduled(panel)
    assert row.proved_at and row.proof_failed_at is None
    assert (keys(panel), keys(panel, ServiceKind.OBJECT_STORAGE), drills(panel)) == (1, 1, 0)
    with panel.reading():
        proved = find_newest_proved(environment().id)
        assert proved and proved.id == row.id
    assert data.letters(panel) == []


def test_a_damaged_one_is_found_and_told(panel: Panel) -> None:
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    assert row.status == WorkStatus.SUCCEEDED and row.proved_at is None
    [path] = data.stored(panel)
    data.damage(path)
    data.run(panel, "prove", row.id)
    row = scheduled(panel)[-1]
    assert row.proved_at is None and row.proof_failed_at
    assert "damaged" in row.proof_sentence
    told = {who: subject for who, subject, _ in data.letters(panel)}
    assert told == dict.fromkeys(
        (ALICE.email, ADAM.email), "Demo: backup of Test is not restorable"
    )
    assert (keys(panel), drills(panel)) == (1, 0)
    with panel.reading():
        assert find_newest_good(environment().id) is None
    data.run(panel, "prove", row.id)
    assert len(data.letters(panel)) == 2, "each is told once"


def test_what_is_restored_must_be_what_was_there(panel: Panel) -> None:
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    with panel.work():
        part = db.session.get_one(Backup, row.id).parts[0]
        part.contents = {"counts": {**part.contents["counts"], "people": 3000}, "digest": ""}
    data.run(panel, "prove", row.id)
    row = scheduled(panel)[-1]
    assert "“people” had 3,000, and has 2" in row.proof_sentence


def test_a_server_that_is_down_is_asked_again_and_then_told(panel: Panel) -> None:
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    data.backend_of(panel).failures["provision"] = "The server is down."
    data.run(panel, "prove", row.id)
    assert scheduled(panel)[-1].proof_failed_at is None
    panel.queue.jobs.clear()
    data.run(panel, "tidy_backups")
    assert ("app.backups.jobs.prove", (row.id,)) in panel.queue.jobs
    with panel.work():
        db.session.get_one(Backup, row.id).ended_at = now() - datetime.timedelta(hours=13)
    data.run(panel, "prove", row.id)
    found = scheduled(panel)[-1]
    assert found.proof_failed_at and "The server is down." in found.proof_sentence


def test_a_killed_drill_leaves_nothing_behind(panel: Panel) -> None:
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    backend = data.backend_of(panel)
    backend.failures["deprovision"] = "The server went away."  # as if it died before
    data.run(panel, "prove", row.id)
    assert scheduled(panel)[-1].proved_at
    assert (keys(panel), drills(panel)) == (2, 1)
    backend.failures.clear()
    data.run(panel, "tidy_backups")
    assert drills(panel) == 1, "it may live still"
    with panel.work():
        for drill in db.session.scalars(db.select(DrillInstance)):
            drill.heartbeat_at = now() - datetime.timedelta(minutes=5)
    data.run(panel, "tidy_backups")
    assert (keys(panel), drills(panel)) == (1, 0)


def test_two_drills_of_one_backup_do_not_meet(panel: Panel) -> None:
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    counts = []

    def meanwhile(question: str) -> None:
        data.run(panel, "prove", row.id)
        counts.append(drills(panel))

    data.interrupt(panel, meanwhile)
    data.run(panel, "prove", row.id)
    assert counts == [1]
    assert scheduled(panel)[-1].proved_at and drills(panel) == 0


def test_a_moments_trouble_of_ours_says_nothing_of_the_backup(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected is tried again, and told when it lasts."""
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    with monkeypatch.context() as trouble:
        broken = RuntimeError("out of memory")
        trouble.setattr(FakeBackend, "contents", lambda *_: (_ for _ in ()).throw(broken))
        data.run(panel, "prove", row.id)
        assert scheduled(panel)[-1].proof_failed_at is None and data.letters(panel) == []
        with panel.work():
            db.session.get_one(Backup, row.id).ended_at = now() - datetime.timedelta(hours=13)
        data.run(panel, "prove", row.id)
        found = scheduled(panel)[-1]
        assert found.proof_failed_at and "memory" not in found.proof_sentence
