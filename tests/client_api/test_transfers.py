"""Backups, downloads and uploads as a client asks for them, at the level of HTTP."""

from __future__ import annotations

import datetime
import json

import pytest

from app.adapters.services import ServiceKind
from app.applications.operations import remove_collaborator
from app.backups import leases, uploading
from app.backups.due import Due, list_due_work
from app.backups.models import Backup, Download, Upload
from app.backups.queries import find_newest_good
from app.backups.uploading import path_of
from app.extensions import db, now
from app.services.models import ServiceState
from tests.backups import data
from tests.client_api.asking import Steps, download_body, program_of, restore_body
from tests.panel import DORA, Panel, application, environment, user_of

DUMP = json.dumps({"kind": "postgresql", "tables": {"people": ["Hedy"]}}).encode()


@pytest.fixture
def steps(panel: Panel) -> Steps:
    return Steps(program_of(panel), data.fill(panel))


def test_services_as_the_client_knows_them(panel: Panel, steps: Steps) -> None:
    data.fill(panel, kind=ServiceKind.REDIS, tables={})
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables={})
    found = steps.program.get(f"/apps/v3/service-instances/?environment={steps.environment}").json
    rows = [(row["type"], row["prefix"]) for row in found["results"]]
    assert rows == [("DATABASE", "DEFAULT"), ("STORAGE", "DEFAULT"), ("REDIS", "DEFAULT")]


def test_a_backup_says_how_it_stands(panel: Panel, steps: Steps) -> None:
    soon = (now() + datetime.timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    body = {
        "environment": steps.environment,
        "services": [steps.instance],
        "trigger": "MANUAL",
        "scheduled_for_deletion_at": soon,
        "notes": "Divio CLI pull",
    }
    made = steps.program.post("/apps/v3/backups/", body).json
    assert (made["state"], made["success"]) == ("QUEUED", None)
    assert steps.program.post("/apps/v3/backups/", body).json["uuid"] == made["uuid"]
    data.run_jobs(panel)
    done = steps.backup(made["uuid"])
    assert (done["state"], done["success"]) == ("COMPLETED", "SUCCESS")
    assert done["scheduled_for_deletion_at"] == soon and done["notes"] == "Divio CLI pull"
    part = steps.program.get(
        f"/apps/v3/service-instance-backups/{done['service_instance_backups'][0]}/"
    ).json
    assert part["service_type"] == "DATABASE" and part["errors"] == [] and part["ended_at"]
    assert part["backup"] == made["uuid"] and part["size"] > 0


def test_a_backup_that_fails_ends(panel: Panel, steps: Steps) -> None:
    data.backend_of(panel).failures["backup"] = "The server is down."
    done = steps.take()
    assert (done["state"], done["success"]) == ("COMPLETED", "FAILURE")
    part = done["service_instance_backups"][0]
    found = steps.program.get(f"/apps/v3/service-instance-backups/{part}/").json
    assert found["ended_at"] and "The server is down." in found["errors"][0]
    answer = steps.program.post("/apps/v3/backup-downloads/", download_body(done))
    assert answer.status_code == 400 and "not there" in answer.text


def test_a_backup_goes_when_its_time_is_over(panel: Panel, steps: Steps) -> None:
    soon = (now() + datetime.timedelta(hours=1)).isoformat()
    going, staying = steps.take(scheduled_for_deletion_at=soon), steps.take()
    with panel.work():
        data.backup(going["uuid"]).expires_at = now()
    data.run(panel, "tidy_backups")
    data.run_jobs(panel)
    assert steps.program.get(f"/apps/v3/backups/{going['uuid']}/").status_code == 404
    assert steps.backup(staying["uuid"])["scheduled_for_deletion_at"] is None
    assert len(data.stored(panel)) == 1


def test_who_asks_for_the_same_keeps_it_longest(panel: Panel, steps: Steps) -> None:
    soon = (now() + datetime.timedelta(hours=1)).isoformat()
    body = {"environment": steps.environment, "scheduled_for_deletion_at": soon}
    made = steps.program.post("/apps/v3/backups/", body).json
    data.ask(panel)  # on the page, for good
    assert steps.backup(made["uuid"])["scheduled_for_deletion_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"services": ["made-up"]}, "services"),
        ({"services": "x"}, "services"),
        ({"services": [7]}, "services"),
        ({"notes": "x" * 300}, "note"),
        ({"notes": 7}, "notes"),
        ({"scheduled_for_deletion_at": "soon"}, "scheduled_for_deletion_at"),
        ({"scheduled_for_deletion_at": "2026-11-22T03:00:00"}, "scheduled_for_deletion_at"),
    ],
)
@pytest.mark.parametrize("path", ["backups/", "backups/upload/"])
def test_what_cannot_be_used_is_named(
    steps: Steps, path: str, body: dict[str, object], field: str
) -> None:
    whole = {"environment": steps.environment, "services": [steps.instance], **body}
    answer = steps.program.post(f"/apps/v3/{path}", whole)
    assert answer.status_code == 400 and list(answer.json) == [field]
    assert isinstance(answer.json[field], list)


@pytest.mark.parametrize("path", ["backups/", "backups/upload/", "backup-restores/"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_no_body_is_no_error_of_ours(steps: Steps, path: str, body: bytes) -> None:
    client = steps.program.panel.app.test_client()
    headers = {"Authorization": f"Token {steps.program.token}"}
    answer = client.post(f"/apps/v3/{path}", data=body, headers=headers)
    assert answer.status_code in (400, 404) and answer.is_json


def test_a_download_is_fetched_without_a_token(panel: Panel, steps: Steps) -> None:
    found = steps.download(steps.take())
    assert found["ended_at"] and found["errors"] == []
    client = panel.app.test_client()
    with client.get(found["download_url"], headers={"Authorization": "Basic eDp5"}) as answer:
        assert answer.status_code == 200 and json.loads(answer.data)["tables"] == data.ROWS
        assert "Content-Encoding" not in answer.headers
    assert data.letters(panel) == [], "nothing is mailed"
    address, _, signature = found["download_url"].rpartition(".")
    assert client.get(f"{address}.{signature[::-1]}").status_code == 404
    with panel.work():
        row = db.session.scalars(db.select(Download)).one()
        assert row.token_hash is None
        row.expires_at = now()
    assert client.get(found["download_url"]).status_code == 404
    data.run(panel, "tidy_backups")
    assert not list((panel.settings.data_dir / "downloads").iterdir())


def test_an_address_stops_with_its_person_s_right(panel: Panel, steps: Steps) -> None:
    dora = Steps(program_of(panel, DORA), steps.instance)
    url = dora.download(dora.take())["download_url"]
    _, way = dora.begin()
    client = panel.app.test_client()
    with client.get(url) as answer:
        assert answer.status_code == 200
    with panel.work():
        given = next(one for one in application().collaborators if one.user.email == DORA.email)
        remove_collaborator(application(), given, user_of(DORA))
    assert client.get(url).status_code == 404
    assert dora.send(way, DUMP).status_code == dora.finish(way).status_code == 404


def test_a_download_that_fails_ends(panel: Panel, steps: Steps) -> None:
    backup = steps.take()
    [path] = data.stored(panel)
    data.damage(path)
    found = steps.download(backup)
    assert found["ended_at"] and found["download_url"] is None and "damaged" in found["errors"][0]


def test_a_download_is_for_who_asked(panel: Panel, steps: Steps) -> None:
    found = steps.download(steps.take())
    dora = program_of(panel, DORA)
    path = f"/apps/v3/backup-download-service-instances/{found['uuid']}"
    assert dora.get(path).status_code == 404


def test_what_is_brought_is_encrypted_and_restored(panel: Panel, steps: Steps) -> None:
    uuid, way = steps.begin()
    assert way["handler"] == "exo-presigned-v1"
    assert way["upload_parameters"]["max_file_size"] == panel.settings.push_bytes
    assert steps.send(way, b"{ first try").status_code == 204
    assert steps.send(way, DUMP).status_code == 204
    with panel.reading():
        row = db.session.scalars(db.select(Upload)).one()
        kept = path_of(row.uuid).read_bytes()
        assert kept.startswith(b"age-encryption.org/") and b"Hedy" not in kept
        assert row.recipient.startswith("age1")
    assert steps.backup(uuid)["state"] == "QUEUED"
    assert steps.finish(way).status_code == 204
    assert steps.send(way, DUMP).status_code == 404, "once it is finished, nothing is changed"
    data.run_jobs(panel)
    done = steps.backup(uuid)
    assert (done["state"], done["success"]) == ("COMPLETED", "SUCCESS")
    with panel.reading():
        assert find_newest_good(environment().id) is None, "no state of the environment"
        assert db.session.scalars(db.select(Upload)).all() == []
    assert not list((panel.settings.data_dir / "uploads").iterdir())
    assert data.data_of(panel, steps.instance) == data.ROWS
    ended = steps.restore(done)
    assert (ended["finished"], ended["success"]) == (True, "SUCCESS")
    assert data.data_of(panel, steps.instance) == {"people": ["Hedy"]}
    with panel.reading():
        origins = [str(row.origin) for row in db.session.scalars(db.select(Backup))]
    assert origins == ["brought", "safety"]


def test_a_restore_that_fails_ends(panel: Panel, steps: Steps) -> None:
    done = steps.bring(b"{ no dump")
    assert done["success"] == "SUCCESS", "whether it is whole is seen later"
    ended = steps.restore(done)
    assert (ended["finished"], ended["success"]) == (True, "FAILURE")
    assert "damaged" in ended["errors"][0]
    assert data.data_of(panel, steps.instance) == data.ROWS


@pytest.mark.parametrize("body", [b"", b"no dump"])
def test_something_else_is_refused(panel: Panel, steps: Steps, body: bytes) -> None:
    done = steps.bring(body)
    assert (done["state"], done["success"]) == ("COMPLETED", "FAILURE")
    part = done["service_instance_backups"][0]
    found = steps.program.get(f"/apps/v3/service-instance-backups/{part}/").json
    assert "The file is no dump." in found["errors"][0]
    assert data.stored(panel) == [] and data.letters(panel) == []
    answer = steps.program.post("/apps/v3/backup-restores/", restore_body(done))
    assert answer.status_code == 400


def test_too_much_is_refused(panel: Panel, steps: Steps) -> None:
    data.put_settings(panel, push_bytes=10)
    _, way = steps.begin()
    answer = steps.send(way, DUMP)
    assert answer.status_code == 413 and "larger than 10 bytes" in answer.text
    data.put_settings(panel, push_bytes=10**6, unpacked_bytes=10)
    done = steps.bring(DUMP)
    assert done["success"] == "FAILURE"
    data.put_settings(panel, free_bytes_needed=10**18)
    _, way = steps.begin()
    answer = steps.send(way, DUMP)
    assert answer.status_code == 503 and "too little room" in answer.text
    left = list((panel.settings.data_dir / "uploads").iterdir())
    assert left == []


def test_a_file_that_never_comes(panel: Panel, steps: Steps) -> None:
    """Neither said to be there nor sent: it ends when its time is over."""
    uuid, way = steps.begin()
    assert steps.finish(way).status_code == 204
    data.run_jobs(panel)
    assert steps.backup(uuid)["success"] == "FAILURE"
    uuid, way = steps.begin()
    data.run_jobs(panel)
    assert steps.backup(uuid)["state"] == "QUEUED"
    assert [item.function for item in due(panel)] == []
    with panel.work():
        db.session.scalars(db.select(Upload)).one().expires_at = now()
    assert [item.function for item in due(panel)] == ["app.backups.jobs.take"]
    assert steps.send(way, DUMP).status_code == 404
    data.run(panel, "take", due(panel)[0].number)
    assert steps.backup(uuid)["success"] == "FAILURE"


def due(panel: Panel) -> list[Due]:
    with panel.reading():
        return list(list_due_work())


def test_a_worker_that_is_killed_over_it(panel: Panel, steps: Steps) -> None:
    uuid, way = steps.begin()
    steps.send(way, DUMP)
    steps.finish(way)
    with panel.work():
        row = leases.lock(Backup, data.backup(uuid).id)
        assert row
        leases.take(row)
        row.heartbeat_at = now() - datetime.timedelta(minutes=5)
        number = row.id
    data.run(panel, "recover_backup", number)
    assert steps.backup(uuid)["success"] == "FAILURE"
    data.run(panel, "tidy_backups")
    with panel.reading():
        assert db.session.scalars(db.select(Upload)).all() == []
    assert not list((panel.settings.data_dir / "uploads").iterdir())


def test_a_line_that_breaks_leaves_nothing(panel: Panel, steps: Steps) -> None:
    _, way = steps.begin()

    class Breaking:
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    with panel.reading():
        row = uploading.find_upload(way["finish_url"].split("/")[-3])
        assert row
        with pytest.raises(ConnectionResetError):
            uploading.receive(row, Breaking(), 10)  # type: ignore[arg-type]
    assert not list((panel.settings.data_dir / "uploads").iterdir())


def test_nothing_is_brought_for_what_is_not_there(panel: Panel, steps: Steps) -> None:
    with panel.work():
        data.instance(steps.instance).state = ServiceState.REMOVING
    body = {"environment": steps.environment, "services": [steps.instance]}
    for path in ("backups/", "backups/upload/"):
        answer = steps.program.post(f"/apps/v3/{path}", body)
        assert answer.status_code == 400 and "no such database" in answer.json["services"][0]


def test_a_part_of_another_backup(steps: Steps) -> None:
    one, other = steps.take(), steps.take()
    for path, body in (
        ("backup-restores/", restore_body(one)),
        ("backup-downloads/", download_body(one)),
    ):
        answer = steps.program.post(f"/apps/v3/{path}", {**body, "backup": other["uuid"]})
        assert answer.status_code == 400 and "another backup" in answer.text
