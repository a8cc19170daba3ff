"""Taking backups: good ones are whole, encrypted and verified; bad ones say so, leave nothing."""

from __future__ import annotations

import datetime
import json
import subprocess
from contextlib import suppress

import pyrage
import pytest

from app.adapters.backup_store import Space
from app.adapters.services import Content, ServiceKind
from app.backups import leases, taking
from app.backups.content import CONTENT_OF
from app.backups.models import Backup, WorkStatus
from app.backups.operations import NewBackup, delete_backup, request_backup
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.seals import present_seal
from app.transactions import unit_of_work
from tests.backups import data
from tests.panel import ALICE, Panel, environment, user_of


def test_the_kinds_are_what_the_backends_say(panel: Panel) -> None:
    for kind in ServiceKind:
        assert panel.services.of(kind).content == CONTENT_OF.get(kind)


def test_a_backup_of_database_and_media(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    data.fill(panel, kind=ServiceKind.REDIS, version="1")
    uuid = data.take(panel)
    with panel.reading():
        row = data.backup(uuid)
        assert (row.status, row.sentence) == (WorkStatus.SUCCEEDED, "")
        assert [part.content for part in row.parts] == [Content.MEDIA, Content.DATABASE]
        database = row.parts[1]
        assert database.contents == {"counts": {"people": 2, "pages": 1}, "digest": ""}
        files = data.stored(panel)
        assert {path.stem for path in files} == {part.uuid for part in row.parts}
        path = next(path for path in files if path.stem == database.uuid)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_size == database.stored_bytes
        assert b"Ada" not in path.read_bytes()
        plain = pyrage.decrypt(path.read_bytes(), list(present_seal().identities()))
        assert json.loads(plain)["tables"] == data.ROWS
        assert len(plain) == database.plain_bytes
        assert database.recipient == str(present_seal().recipient())


def test_one_part_alone_and_a_note(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    wanted = NewBackup(frozenset({Content.MEDIA}), " before the move ")
    uuid = data.ask(panel, wanted=wanted)
    assert data.ask(panel, wanted=wanted) == uuid, "asked twice is the same"
    data.run_jobs(panel)
    with panel.reading():
        row = data.backup(uuid)
        assert row.note == "before the move"
        assert [part.content for part in row.parts] == [Content.MEDIA]
    assert data.ask(panel, wanted=wanted) != uuid


def test_what_cannot_be_asked_for(panel: Panel) -> None:
    with panel.work(), pytest.raises(Invalid, match="nothing to back up"):
        request_backup(environment(), NewBackup(), user_of(ALICE))
    data.fill(panel)
    with panel.work(), pytest.raises(Invalid, match="200 characters"):
        request_backup(environment(), NewBackup(note="x" * 201), user_of(ALICE))
    with panel.work(), pytest.raises(Conflict, match="trash"):
        here = environment()
        here.application.trashed_at = now()
        db.session.flush()
        request_backup(here, NewBackup(), user_of(ALICE))


def test_a_failure_says_so_tells_by_mail_and_leaves_nothing(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    data.backend_of(panel).failures["backup"] = "The server went away."
    uuid = data.take(panel)
    with panel.reading():
        row = data.backup(uuid)
        media, database = row.parts
        assert row.status == WorkStatus.FAILED
        assert "The server went away." in row.sentence
        assert (media.status, database.status) == (WorkStatus.SUCCEEDED, WorkStatus.FAILED)
        assert [path.stem for path in data.stored(panel)] == [media.uuid], "what is good stays"
    [(recipient, subject, text)] = data.letters(panel)
    assert (recipient, subject) == (ALICE.email, "Demo: backup of Test failed")
    assert "The server went away." in text and "password" not in text


def test_a_full_store_refuses_before_anything_is_read(panel: Panel) -> None:
    data.fill(panel)
    store = data.StrangeStore(panel)
    store.given_space = Space(free=9 * 1024**3, total=100 * 1024**3)
    data.put_store(panel, store)
    uuid = data.take(panel)
    with panel.reading():
        assert "too little room" in data.backup(uuid).sentence
    assert data.stored(panel) == []


def test_a_disk_that_fills_up_in_the_middle(panel: Panel) -> None:
    # More than the page of the disk that the beginning of the draft may have already.
    data.fill(panel, tables={"pages": ["x" * 200_000]})
    folder = panel.settings.data_dir / "backups"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    other = folder / "of-others"

    def fill_up(question: str) -> None:
        with suppress(OSError), other.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    try:
        data.interrupt(panel, fill_up)
        uuid = data.take(panel)
        with panel.reading():
            assert data.backup(uuid).status == WorkStatus.FAILED
            assert "The disk with the backups is full." in data.backup(uuid).sentence
        assert data.stored(panel) == []
        other.unlink()
        data.interrupt(panel, lambda question: None)
        uuid = data.take(panel)
        with panel.reading():
            assert data.backup(uuid).status == WorkStatus.SUCCEEDED
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_what_is_read_back_must_be_what_was_written(panel: Panel) -> None:
    """A disk that keeps something else than what it was given."""
    data.fill(panel)
    store = data.StrangeStore(panel)
    store.damages = True
    data.put_store(panel, store)
    uuid = data.take(panel)
    with panel.reading():
        assert data.backup(uuid).status == WorkStatus.FAILED
        assert "damaged" in data.backup(uuid).sentence
    assert data.stored(panel) == []


def lose_the_worker(panel: Panel, uuid: str) -> int:
    """As if a worker had been killed in the middle: a lease without a heartbeat, and a draft."""
    with panel.work():
        row = leases.lock(Backup, data.backup(uuid).id)
        assert row
        leases.take(row)
        row.heartbeat_at = now() - datetime.timedelta(minutes=5)
        row.parts[0].status = WorkStatus.RUNNING
        with panel.backup_store.writing(row.parts[0].uuid) as file:
            file.write(b"half")
        return row.id


def test_a_killed_worker_leaves_nothing_that_looks_good(panel: Panel) -> None:
    data.fill(panel)
    uuid = data.ask(panel)
    panel.queue.jobs.clear()
    number = lose_the_worker(panel, uuid)
    assert len(data.stored(panel)) == 1
    data.run(panel, "take", number)  # the job again: it is not waiting any more
    data.run(panel, "recover_backup", number)
    with panel.reading():
        row = data.backup(uuid)
        assert (row.status, row.sentence) == (WorkStatus.FAILED, taking.LOST)
        assert row.parts[0].status == WorkStatus.FAILED
    assert data.stored(panel) == []
    data.run(panel, "recover_backup", number)
    assert len(data.letters(panel)) == 1, "told once"


def begin_and_recover_meanwhile(panel: Panel, **changed: str) -> str:
    """Take a backup whose heartbeat is old when a recovery looks in the middle; its uuid.
    `changed` is what else the recovery finds in the row."""
    data.fill(panel)
    uuid = data.ask(panel)
    panel.queue.jobs.clear()

    def meanwhile(question: str) -> None:
        with unit_of_work():
            row = data.backup(uuid)
            row.heartbeat_at = now() - datetime.timedelta(minutes=5)
            for name, value in changed.items():
                setattr(row, name, value)
        taking.recover(row.id)

    data.interrupt(panel, meanwhile)
    with panel.reading():
        number = data.backup(uuid).id
    data.run(panel, "take", number)
    return uuid


def test_a_living_worker_that_could_not_write_is_not_taken_for_lost(panel: Panel) -> None:
    uuid = begin_and_recover_meanwhile(panel)
    with panel.reading():
        assert data.backup(uuid).status == WorkStatus.SUCCEEDED


def test_a_worker_that_wakes_up_late_publishes_nothing(panel: Panel) -> None:
    # Another's: its own heartbeats say no more.
    uuid = begin_and_recover_meanwhile(panel, lease_token="another's")
    with panel.reading():
        assert data.backup(uuid).sentence == taking.LOST
    assert data.stored(panel) == []


def test_deleting_one(panel: Panel) -> None:
    data.fill(panel)
    uuid = data.ask(panel)
    with panel.work(), pytest.raises(Conflict, match="being taken"):
        delete_backup(data.backup(uuid), user_of(ALICE))
    data.run_jobs(panel)
    with panel.work():
        delete_backup(data.backup(uuid), user_of(ALICE))
    assert data.run_jobs(panel) == ["delete"]
    assert data.stored(panel) == []
    with panel.reading():
        assert db.session.scalar(db.select(Backup.id)) is None


def test_drafts_of_the_lost_and_files_of_the_failed_are_swept(panel: Panel) -> None:
    data.fill(panel)
    good = data.take(panel)
    bad = data.take(panel)
    store = panel.backup_store
    with panel.work():
        row = data.backup(bad)
        row.status = row.parts[0].status = WorkStatus.FAILED
        good_part = data.backup(good).parts[0].uuid
    for name in (good_part, "unknown-but-young"):
        with store.writing(name) as file:
            file.write(b"x")
    with store.writing("of-a-later-panel") as file:
        file.write(b"x")
    store.publish("of-a-later-panel")
    data.run(panel, "tidy_backups")
    left = {(item.name, item.is_draft) for item in store.list_stored()}
    assert left == {(good_part, False), ("unknown-but-young", True), ("of-a-later-panel", False)}
