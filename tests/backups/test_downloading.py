"""Prepared downloads: a decrypted file for a day, behind a link that only its letter holds."""

from __future__ import annotations

import datetime
import json
import re

import pytest

from app.backups import downloading, leases
from app.backups.content import file_name
from app.backups.downloading import path_of, prepare_download
from app.backups.models import Download, WorkStatus
from app.backups.queries import find_download, list_downloads
from app.errors import Invalid
from app.extensions import db, now
from tests.backups import data
from tests.panel import ALICE, DORA, Panel, Person, user_of


def ask(panel: Panel, backup: str, person: Person = ALICE) -> int:
    with panel.work():
        return prepare_download(data.backup(backup).parts[0], user_of(person)).id


def row_of(number: int) -> Download:
    return db.session.get_one(Download, number)


def test_a_link_by_mail_that_works_for_a_day(panel: Panel) -> None:
    data.fill(panel)
    backup = data.take(panel)
    number = ask(panel, backup)
    assert ask(panel, backup) == number, "asked twice is the same"
    data.run_jobs(panel)
    [(recipient, subject, text)] = data.letters(panel)
    assert recipient == ALICE.email
    found = re.search(r"/downloads/([\w-]{40,})/", text)
    assert found
    token = found.group(1)
    with panel.reading():
        row = find_download(token)
        assert row and row.id == number
        assert token not in json.dumps([str(value) for value in vars(row).values()])
        path = path_of(row.uuid)
        assert path.stat().st_mode & 0o777 == 0o640
        assert json.loads(path.read_text())["tables"] == data.ROWS
        assert row.bytes == path.stat().st_size == row.part.plain_bytes
        assert row.part.plain_sha256 in text
        name = file_name(row.part)
        assert re.fullmatch(r"demo-test-default-\d{4}-\d\d-\d\d\.dump", name)
        assert name in subject and name in text
        assert [item.id for item in list_downloads(row.actor_id, [row.part_id])] == [number]
        assert find_download("x") is None and find_download("") is None
    with panel.work():
        row_of(number).expires_at = now()
    with panel.reading():
        assert find_download(token) is None
    data.run(panel, "tidy_backups")
    assert not path.exists()
    with panel.reading():
        assert db.session.get(Download, number) is None


def test_only_what_is_there(panel: Panel) -> None:
    data.fill(panel)
    backup = data.ask(panel)
    with panel.work(), pytest.raises(Invalid, match="not there"):
        prepare_download(data.backup(backup).parts[0], user_of(ALICE))


@pytest.mark.parametrize("fault", ["damaged", "gone", "full"])
def test_a_failure_says_why_and_leaves_no_file(panel: Panel, fault: str) -> None:
    data.fill(panel)
    backup = data.take(panel)
    [path] = data.stored(panel)
    if fault == "damaged":
        data.damage(path)
    elif fault == "gone":
        path.unlink()
    else:
        data.put_settings(panel, free_bytes_needed=10**18)
    number = ask(panel, backup, DORA)
    data.run_jobs(panel)
    words = {"damaged": "damaged", "gone": "not in the store", "full": "too little room"}
    with panel.reading():
        row = row_of(number)
        assert row.status == WorkStatus.FAILED and words[fault] in row.sentence
        assert not path_of(row.uuid).exists()
    assert data.letters(panel) == []
    assert ask(panel, backup, DORA) != number, "it can be asked for again"


def test_a_killed_worker(panel: Panel) -> None:
    data.fill(panel)
    backup = data.take(panel)
    number = ask(panel, backup)
    with panel.work():
        row = leases.lock(Download, number)
        assert row
        leases.take(row)
        row.heartbeat_at = now() - datetime.timedelta(minutes=5)
        path = path_of(row.uuid)
        path.parent.mkdir()
        path.write_text("half")
    data.run(panel, "recover_download", number)
    data.run(panel, "tidy_backups")
    with panel.reading():
        assert (row_of(number).status, row_of(number).sentence) == (
            WorkStatus.FAILED,
            downloading.LOST,
        )
    assert not path.exists()
