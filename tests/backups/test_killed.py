"""`kill -9` of a real worker process in the middle of its work, and what is found afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from app.backups import bringing_back, taking
from app.backups.models import Backup, DrillInstance, Restoration, WorkStatus
from app.backups.restoring import request_restoration
from app.extensions import db
from app.processes.scheduler import Recurring, enqueue_what_is_due
from tests.backups import data
from tests.backups.test_proving import drills, take_scheduled
from tests.panel import ALICE, Panel, user_of

QUICK = {"lease": 0.6, "heartbeat": 0.1}


def die(question: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in(panel: Panel, act: Callable[[], None]) -> None:
    """Do `act` in a process of its own, which must not live to its end."""
    with panel.app.app_context():
        db.session.remove()
        db.engine.dispose()
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    panel.queue.jobs.clear()


def recover(panel: Panel) -> list[str]:
    """What the scheduler has done once the lease is over."""
    time.sleep(QUICK["lease"] + 0.2)
    panel.queue.keys.clear()
    with panel.reading():
        enqueue_what_is_due(Recurring())
    return data.run_jobs(panel)


def test_in_the_middle_of_a_backup(panel: Panel) -> None:
    data.put_times(panel, **QUICK)
    data.fill(panel)
    uuid = data.ask(panel)
    data.interrupt(panel, die)
    with panel.reading():
        number = data.backup(uuid).id
    killed_in(panel, lambda: data.run(panel, "take", number))
    assert len(data.stored(panel)) == 1, "a draft lies there"
    data.interrupt(panel, lambda question: None)
    assert "recover_backup" in recover(panel)
    with panel.reading():
        row = data.backup(uuid)
        assert (row.status, row.sentence) == (WorkStatus.FAILED, taking.LOST)
    assert data.stored(panel) == []
    again = data.take(panel)
    with panel.reading():
        assert data.backup(again).status == WorkStatus.SUCCEEDED


def killed_in_a_restore(panel: Panel, at: str) -> tuple[str, int]:
    """The uuid of the instance and the number of the restoration, whose worker died there."""
    uuid = data.fill(panel)
    backup = data.take(panel)
    with panel.work():
        part = data.backup(backup).parts[0]
        number = request_restoration(part, data.instance(uuid), user_of(ALICE)).id
    data.interrupt(panel, lambda question: die(question) if question == at else None)
    killed_in(panel, lambda: data.run(panel, "restore", number))
    data.interrupt(panel, lambda question: None)
    return uuid, number


@pytest.mark.parametrize("at", ["backup", "restore"])
def test_in_the_middle_of_a_restore(panel: Panel, at: str) -> None:
    """While the safety backup is taken, and while data is overwritten."""
    data.put_times(panel, **QUICK)
    uuid, number = killed_in_a_restore(panel, at)
    assert "recover_restoration" in recover(panel)
    with panel.reading():
        row = db.session.get_one(Restoration, number)
        assert row.status == WorkStatus.FAILED
        assert row.sentence.startswith(bringing_back.LOST)
        assert row.sentence.endswith("Nothing was changed.") == (at == "backup")
        assert ("safety backup" in row.sentence) == (at == "restore")
        good = db.session.scalars(
            db.select(Backup).where(Backup.status == WorkStatus.SUCCEEDED)
        ).all()
        assert len(good) == len(data.stored(panel)) == (1 if at == "backup" else 2)
        key = data.instance(uuid).key
    assert data.backend_of(panel).tidied == ([] if at == "backup" else [key])


@pytest.mark.parametrize("comes_back", [True, False])
def test_in_the_middle_of_a_restore_with_the_server(panel: Panel, comes_back: bool) -> None:
    """What is half made goes when the server is back in time; the restoration ends either way."""
    data.put_times(panel, **QUICK)
    uuid, number = killed_in_a_restore(panel, "restore")
    backend = data.backend_of(panel)
    backend.failures["tidy"] = "The server does not answer."
    waiting = threading.Timer(QUICK["lease"] + 0.5, backend.failures.clear)
    if comes_back:
        waiting.start()
    assert "recover_restoration" in recover(panel)
    waiting.cancel()
    with panel.reading():
        row = db.session.get_one(Restoration, number)
        assert row.status == WorkStatus.FAILED and "safety backup" in row.sentence
        key = data.instance(uuid).key
    assert backend.tidied == ([key] if comes_back else [])


def test_in_the_middle_of_a_drill(panel: Panel) -> None:
    data.put_times(panel, **QUICK)
    data.fill(panel)
    row = take_scheduled(panel, proves=False)
    data.interrupt(panel, die)
    killed_in(panel, lambda: data.run(panel, "prove", row.id))
    assert drills(panel) == 1
    with panel.work():  # the child's server died with it; this one has what it made
        key = db.session.scalars(db.select(DrillInstance.key)).one()
    data.interrupt(panel, lambda question: None)
    data.backend_of(panel).data[key] = {}
    time.sleep(QUICK["lease"] + 0.2)
    data.run(panel, "tidy_backups")
    assert drills(panel) == 0 and key not in data.backend_of(panel).data
    assert data.backend_of(panel).tidied == [key]
    data.run_jobs(panel)
    with panel.reading():
        assert db.session.get_one(Backup, row.id).proved_at
