"""The pages of backups, as each kind of person meets them."""

from __future__ import annotations

import datetime

import pytest
from flask.testing import FlaskClient

from app.adapters.services import ServiceKind
from app.audit.models import AuditLine
from app.backups.downloading import path_of
from app.backups.models import Backup, BackupSchedule, Download, Restoration, WorkStatus
from app.backups.queries import find_schedule
from app.extensions import db, now
from tests.backups.data import (
    FILES,
    ROWS,
    backend_of,
    backup,
    data_of,
    fill,
    instance,
    letters,
    run_jobs,
    take,
)
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, Person, environment, user_of

LIVE = "/applications/demo/environments/live/backups/"
SITE = "/sites/demo/backups/"
SCHEDULE = {
    "is_on": "y",
    "hour": "4",
    "zone": "Europe/Zurich",
    "daily": "5",
    "weekly": "3",
    "monthly": "2",
}


@pytest.fixture
def services(panel: Panel) -> dict[str, str]:
    """A database and media on Live; their uuids."""
    return {
        "database": fill(panel, "live"),
        "media": fill(panel, "live", ServiceKind.OBJECT_STORAGE, FILES),
    }


def last_audit(panel: Panel) -> str:
    with panel.reading():
        found = db.session.scalars(db.select(AuditLine.action).order_by(AuditLine.id.desc()))
        return str(found.first())


def number_of_backups(panel: Panel) -> int:
    with panel.reading():
        return len(db.session.scalars(db.select(Backup)).all())


def parts_of(panel: Panel, uuid: str) -> dict[str, str]:
    with panel.reading():
        return {part.content.value: part.uuid for part in backup(uuid).parts}


def test_a_developer_takes_one_and_sees_how_far_it_is(
    panel: Panel, services: dict[str, str]
) -> None:
    dora = panel.client_of(DORA)
    empty = dora.get(LIVE).text
    assert "No backups yet" in empty and 'id="take"' in empty
    answer = dora.post(LIVE, data={"contents": "both", "note": "before the move"})
    assert answer.status_code == 303
    waiting = dora.get(LIVE).text
    assert "Waiting" in waiting and 'data-refresh="3"' in waiting and "before the move" in waiting
    run_jobs(panel)
    done = dora.get(LIVE).text
    assert "Succeeded" in done and 'data-refresh="30"' in done and "Newest good backup" in done
    with panel.reading():
        uuid = db.session.scalars(db.select(Backup.uuid)).one()
        size = sum(part.stored_bytes for part in backup(uuid).parts)
        assert size
    page = dora.get(f"{LIVE}{uuid}/").text
    assert "2 tables, 3 rows" in page and "PostgreSQL “DEFAULT”" in page
    assert "Prepare download" in page and "Restore…" in page and "by hand" in page.casefold()
    assert last_audit(panel) == "backup.take"


def test_only_a_part_of_it(panel: Panel, services: dict[str, str]) -> None:
    alice = panel.client_of(ALICE)
    assert alice.post(LIVE, data={"contents": "media", "note": ""}).status_code == 303
    run_jobs(panel)
    with panel.reading():
        row = db.session.scalars(db.select(Backup)).one()
        assert [part.content for part in row.parts] == ["media"]
    long = alice.post(LIVE, data={"contents": "both", "note": "x" * 201})
    assert "200 characters" in long.text and number_of_backups(panel) == 1
    nothing = alice.post(LIVE.replace("live", "test"), data={"contents": "both", "note": ""})
    assert "There is nothing to back up here" in nothing.text


def test_who_may_look_sees_and_changes_nothing(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    part = parts_of(panel, uuid)["database"]
    bob = panel.client_of(BOB)
    for path in (LIVE, f"{LIVE}{uuid}/"):
        page = bob.get(path).text
        assert "Succeeded" in page
        for word in ("Take backup", "Prepare download", "Restore…", "Delete this", 'name="hour"'):
            assert word not in page, word
    assert "Each day at 3:00" in bob.get(LIVE).text
    for path in (
        LIVE,
        f"{LIVE}schedule/",
        f"{LIVE}{uuid}/delete/",
        f"{LIVE}parts/{part}/download/",
        f"{LIVE}{uuid}/restore/parts/{part}/{services['database']}/",
        SITE,
        f"{SITE}ask/",
    ):
        assert bob.post(path).status_code == 403, path
    assert bob.get(f"{LIVE}{uuid}/restore/").status_code == 403
    assert number_of_backups(panel) == 1


def test_a_stranger_finds_none_of_it(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    part = parts_of(panel, uuid)["database"]
    charlie = panel.client_of(CHARLIE)
    own = LIVE.replace("demo", "other")
    for path in (LIVE, f"{LIVE}{uuid}/", f"{own}{uuid}/", f"{own}{uuid}/restore/", SITE):
        assert charlie.get(path).status_code == 404, path
    for path in (
        LIVE,
        f"{own}{uuid}/delete/",
        f"{own}parts/{part}/download/",
        f"{own}{uuid}/restore/parts/{part}/{services['database']}/",
    ):
        assert charlie.post(path).status_code == 404, path


def test_the_schedule_is_what_people_say(panel: Panel, services: dict[str, str]) -> None:
    alice = panel.client_of(ALICE)
    assert alice.post(f"{LIVE}schedule/", data=SCHEDULE).status_code == 303
    with panel.reading():
        row = find_schedule(environment("live").id)
        assert row is not None
        assert (row.hour, row.zone, row.daily, row.weekly) == (4, "Europe/Zurich", 5, 3)
    assert 'value="Europe/Zurich"' in alice.get(LIVE).text
    for wrong, sentence in (
        ({"zone": "Mars"}, "no such time zone"),
        ({"daily": "0"}, "from 1 to"),
        ({"monthly": "many"}, "integer"),
        ({"hour": "24"}, "valid choice"),
    ):
        page = alice.post(f"{LIVE}schedule/", data=SCHEDULE | wrong)
        assert page.status_code == 200 and sentence in page.text.replace("Not a valid", "valid")
    assert alice.post(f"{LIVE}schedule/", data={**SCHEDULE, "is_on": ""}).status_code == 303
    assert "switched off" in panel.client_of(BOB).get(LIVE).text


def restore_path(uuid: str, part: str, service: str) -> str:
    return f"{LIVE}{uuid}/restore/parts/{part}/{service}/"


def test_a_restore_asks_for_the_name_and_says_what_is_lost(
    panel: Panel, services: dict[str, str]
) -> None:
    uuid = take(panel, "live")
    part = parts_of(panel, uuid)["database"]
    other = fill(panel, "test", tables={"people": ["somebody else"]})
    old = fill(panel, "test", tables={}, prefix="OLD", version="14")
    alice = panel.client_of(ALICE)
    page = alice.get(f"{LIVE}{uuid}/restore/").text
    assert "All of it" in page and page.count("Restore here…") == 4
    assert "is of version 15; this server has 14" in page
    path = restore_path(uuid, part, other)
    page = alice.get(path).text
    assert "Overwrite data of Demo, Test?" in page and "safety backup" in page
    refused = alice.post(path, data={"name": "Live"})
    assert "type “Test”" in refused.text
    assert data_of(panel, other) == {"people": ["somebody else"]}
    answer = alice.post(path, data={"name": " test "})
    assert answer.status_code == 303
    assert answer.location == LIVE.replace("live", "test")
    page = alice.get(answer.location).text
    assert "Restores into this environment" in page and "Waiting" in page
    assert last_audit(panel) == "backup.restore"
    run_jobs(panel)
    assert data_of(panel, other) == ROWS
    page = alice.get(answer.location).text
    assert "Before a restore" in page and "Succeeded" in page
    stale = restore_path(uuid, part, old)
    assert "cannot read it" in alice.get(stale).text
    assert "Overwrite and restore" not in alice.get(stale).text
    assert "cannot read it" in alice.post(stale, data={"name": "Test"}).text


def test_all_of_it_or_one_kind_into_the_same_place(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    with panel.reading():
        where = environment("live").uuid
        keys = [instance(one).key for one in services.values()]
    for kind, key in zip((ServiceKind.POSTGRESQL, ServiceKind.OBJECT_STORAGE), keys, strict=True):
        backend_of(panel, kind).data[key] = {"broken": ["x"]}
    dora = panel.client_of(DORA)
    path = f"{LIVE}{uuid}/restore/all/{where}/"
    assert "Media only" in dora.get(path).text
    assert dora.post(path, data={"contents": "media", "name": "Live"}).status_code == 303
    run_jobs(panel)
    assert data_of(panel, services["media"]) == FILES
    assert data_of(panel, services["database"]) == {"broken": ["x"]}
    assert dora.post(path, data={"contents": "both", "name": "Live"}).status_code == 303
    run_jobs(panel)
    assert data_of(panel, services["database"]) == ROWS
    with panel.reading():
        rows = db.session.scalars(db.select(Restoration)).all()
        assert {row.status for row in rows} == {WorkStatus.SUCCEEDED} and len(rows) == 3


def test_nobody_restores_into_what_is_not_theirs(panel: Panel, services: dict[str, str]) -> None:
    """Nor from it: an address that mixes the two finds nothing."""
    uuid = take(panel, "live")
    part = parts_of(panel, uuid)["database"]
    theirs = fill(panel, "live", of="other")
    alice = panel.client_of(ALICE)
    assert "Other, " not in alice.get(f"{LIVE}{uuid}/restore/").text
    path = restore_path(uuid, part, theirs)
    assert alice.get(path).status_code == 404
    assert alice.post(path, data={"name": "Live"}).status_code == 404
    with panel.reading():
        foreign = environment("live", "other").uuid
    assert alice.get(f"{LIVE}{uuid}/restore/all/{foreign}/").status_code == 404


def test_deleting_asks_for_the_name(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    alice = panel.client_of(ALICE)
    path = f"{LIVE}{uuid}/delete/"
    assert "newest good backup" in alice.get(path).text
    assert "type “Live”" in alice.post(path, data={"name": "x"}).text
    assert number_of_backups(panel) == 1
    assert alice.post(path, data={"name": "Live"}).status_code == 303
    assert alice.get(f"{LIVE}{uuid}/").status_code == 404
    run_jobs(panel)
    assert number_of_backups(panel) == 0


def link_of(panel: Panel) -> str:
    text = next(text for _, subject, text in letters(panel) if "download" in subject)
    return text.partition("/downloads/")[2].partition("/")[0]


def prepared(panel: Panel, person: Person) -> tuple[FlaskClient, str]:
    """Somebody's browser, and the path of a download that was made for them."""
    part = parts_of(panel, take(panel, "live"))["database"]
    client = panel.client_of(person)
    assert client.post(f"{LIVE}parts/{part}/download/").status_code == 303
    run_jobs(panel)
    return client, f"/downloads/{link_of(panel)}/"


def test_a_download_is_for_who_asked_and_still_may(panel: Panel, services: dict[str, str]) -> None:
    dora, path = prepared(panel, DORA)
    assert "Your download is ready" in dora.get(path).text
    with dora.get(f"{path}file/") as answer:
        assert answer.status_code == 200 and len(answer.data) == int(answer.content_length or 0)
        assert "demo-live-default-" in answer.headers["Content-Disposition"]
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "no-store" in answer.headers["Cache-Control"]
        whole = answer.data
    with dora.get(f"{path}file/", headers={"Range": "bytes=3-5"}) as part:
        assert part.status_code == 206 and part.data == whole[3:6]
    for person in (ALICE, BOB, EVE, CHARLIE):  # whoever else has the letter
        for address in (path, f"{path}file/"):
            assert panel.client_of(person).get(address).status_code == 404
    away = panel.client().get(path)
    assert away.status_code == 302 and "sign-in" in away.location
    assert dora.get("/downloads/made-up/").status_code == 404
    with panel.work():
        db.session.scalars(db.select(Download)).one().expires_at = now()
    assert dora.get(path).status_code == 404


def test_a_download_ends_with_the_right(panel: Panel, services: dict[str, str]) -> None:
    dora, path = prepared(panel, DORA)
    page = dora.get(LIVE).text
    assert page
    with panel.work():
        row = db.session.scalars(db.select(Download)).one()
        path_of(row.uuid).unlink()
    assert dora.get(f"{path}file/").status_code == 404
    with panel.work():
        given = [row for row in environment().application.collaborators if row.access != "editor"]
        for row in given:
            row.access = "viewer"
    assert dora.get(path).status_code == 404


def test_an_editor_has_a_page_in_plain_words(panel: Panel, services: dict[str, str]) -> None:
    eve = panel.client_of(EVE)
    assert f'href="{SITE}"' in eve.get("/sites/demo/").text
    assert eve.get(LIVE).location == SITE  # as letters say it
    assert "Take a backup now" in eve.get(SITE).text
    assert eve.post(SITE).status_code == 303
    assert "Waiting" in eve.get(SITE).text
    run_jobs(panel)
    page = eve.get(SITE).text
    assert "Succeeded" in page and "Texts and data of" in page and "Pictures and files of" in page
    lines = page.partition("<main")[2].casefold()
    for word in ("git", "commit", "branch", "postgresql", "environment", "deploy"):
        assert word not in lines, word
    with panel.reading():
        uuid = db.session.scalars(db.select(Backup.uuid)).one()
    assert eve.get(f"{LIVE}{uuid}/").location == SITE
    assert eve.get(f"{LIVE}{uuid}/restore/").status_code == 403


def test_an_editor_asks_those_who_may(panel: Panel, services: dict[str, str]) -> None:
    part = parts_of(panel, take(panel, "live"))["database"]
    eve = panel.client_of(EVE)
    words = "All pages are gone since noon."
    assert eve.post(f"{SITE}ask/", data={"part": part, "words": words}).status_code == 303
    told = {recipient for recipient, subject, text in letters(panel) if words in text}
    assert {ALICE.email, DORA.email} <= told and BOB.email not in told and EVE.email not in told
    assert last_audit(panel) == "backup.ask_restore"
    assert "required" in eve.post(f"{SITE}ask/", data={"part": part, "words": ""}).text
    stranger = fill(panel, "test")
    other = {"part": stranger, "words": words}
    assert eve.post(f"{SITE}ask/", data=other).status_code == 404
    with panel.reading():
        assert not db.session.scalars(db.select(Restoration)).all()


def test_what_is_missing_or_damaged_is_said_aloud(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    alice, eve, bob = (panel.client_of(person) for person in (ALICE, EVE, BOB))
    assert "no fresh backup" not in alice.get("/applications/").text
    assert "No fresh backup" not in alice.get("/applications/demo/").text
    with panel.work():
        long_ago = now() - datetime.timedelta(days=3)
        live = environment("live")
        db.session.add(BackupSchedule(environment_id=live.id, created_at=long_ago))
        row = backup(uuid)
        row.created_at = long_ago
    assert "no fresh backup" in alice.get("/applications/").text
    for client, path in ((alice, "/applications/demo/"), (bob, LIVE), (eve, SITE)):
        assert "No fresh backup" in client.get(path).text
    assert "No fresh backup" in eve.get("/sites/demo/").text
    with panel.work():
        row = backup(uuid)
        row.proof_failed_at, row.proof_sentence = now(), "A table has lost 3 rows."
    for path in (LIVE, f"{LIVE}{uuid}/"):
        page = alice.get(path).text
        assert "Not restorable" in page and "A table has lost 3 rows." in page
    page = eve.get(SITE).text
    assert "Not restorable" in page and "Those who look after the site were told." in page
    assert "There is no good backup at all" in alice.get(LIVE).text
    with panel.work():
        row = backup(uuid)
        row.created_at = now()
        row.proof_failed_at, row.proof_sentence, row.proved_at = None, "", now()
    page = alice.get(LIVE).text
    assert "Proved restorable" in page and "No fresh backup" not in page
    assert "Proved restorable" in eve.get(SITE).text


def test_moments_are_in_the_persons_own_zone(panel: Panel, services: dict[str, str]) -> None:
    uuid = take(panel, "live")
    with panel.work():
        user_of(ALICE).time_zone = "Asia/Kolkata"
        row = backup(uuid)
        row.started_at = row.created_at = datetime.datetime(2026, 1, 2, 22, 30, tzinfo=datetime.UTC)
    assert "2026-01-03 04:00" in panel.client_of(ALICE).get(LIVE).text
    assert "2026-01-02 22:30" in panel.client_of(BOB).get(LIVE).text
