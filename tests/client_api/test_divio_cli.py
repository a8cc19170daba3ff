"""The real `divio app pull|push db|media` against a listening panel, a real PostgreSQL and a real
object storage (command line's contract, sections 2.13 and 2.14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.adapters.services import Server, ServiceKind
from app.backups.models import Backup, BackupOrigin, Restoration, Upload, WorkStatus
from app.extensions import db
from tests.backups import data
from tests.backups.test_real_services import know, settle
from tests.client_api.home import Home, at_home
from tests.contracts.brought import dump
from tests.contracts.object_storage_fixtures import Storage
from tests.contracts.service_fixtures import CASES, Place, ServiceCase, cleaned, running_case
from tests.contracts.service_guests import TABLE
from tests.panel import BOB, CHARLIE, Panel


@pytest.fixture
def case(services_place: Place, servers: dict[str, Server]) -> Iterator[ServiceCase]:
    """A real PostgreSQL 15."""
    yield from cleaned(running_case(services_place, servers, CASES[0]))


def local(port: int, statement: str, database: str = "db") -> list[tuple[object, ...]]:
    """What the database on the person's machine answers."""
    url = f"postgresql://postgres@127.0.0.1:{port}/{database}"
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_database_there_and_back(
    panel: Panel, case: ServiceCase, postgresql_server: int, tmp_path: Path
) -> None:
    facts = case.provision(rows=300)
    know(panel, case.backend, case.server)
    settle(panel, case.server, facts)
    before = case.read(facts)
    with at_home(panel, tmp_path / "home", port=postgresql_server) as home:
        code, said = home.divio("app", "pull", "db", "test")
        assert code == 0 and "Done" in said, said
        table = '"' + TABLE.replace('"', '""') + '"'
        assert local(postgresql_server, f"SELECT count(*) FROM {table}") == [(300,)]
        local(postgresql_server, f"DELETE FROM {table}")
        code, said = home.divio("app", "push", "db", "test", "--noinput")
        assert code == 0 and "Restoring" in said, said
        assert case.read(facts) == []
        _see_the_rows(panel)
        kept = home.folder / "kept.sql"
        kept.write_bytes(dump(case, facts))
        case.fill(facts, 9)
        code, said = home.divio("app", "push", "db", "test", "--noinput", "-d", str(kept))
        assert code == 0 and case.read(facts) == [], said
        _pull_again(home, panel, before, case, facts)  # type: ignore[arg-type]
    local(postgresql_server, "DROP DATABASE db", "postgres")


def _see_the_rows(panel: Panel) -> None:
    """What was brought is marked, is to be deleted, and left nothing beside the store."""
    with panel.reading():
        origins = [row.origin for row in db.session.scalars(db.select(Backup))]
        assert origins == [BackupOrigin.ON_DEMAND, BackupOrigin.BROUGHT, BackupOrigin.SAFETY]
        assert [row.expires_at is None for row in db.session.scalars(db.select(Backup))] == [
            False,
            False,
            True,
        ]
        assert db.session.scalars(db.select(Upload)).all() == []
        assert not list((panel.settings.data_dir / "uploads").iterdir())


def _pull_again(home: Home, panel: Panel, before: object, case: ServiceCase, facts) -> None:  # type: ignore[no-untyped-def]
    """An older backup is pulled by its number, and pushed as a binary dump."""
    with panel.reading():
        first = db.session.scalars(db.select(Backup).order_by(Backup.id)).first()
        assert first
        uuid = first.parts[0].uuid
    code, said = home.divio("app", "pull", "db", "test", "--service-instance-backup", uuid)
    assert code == 0 and "Verifying backup instance" in said, said
    code, said = home.divio("app", "push", "db", "test", "--noinput", "--binary")
    assert code == 0, said
    assert case.read(facts) == before


def test_media_there_and_back(panel: Panel, storage: Storage, tmp_path: Path) -> None:
    know(panel, storage.backend, storage.server)
    facts = storage.new()
    client, bucket = storage.client(facts), facts["bucket"]
    files = {"a.jpg": b"a" * 70_000, "päth/☃.txt": b"snow", "empty": b"", "x/y/z": bytes(9_000_000)}
    for key, body in files.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
    settle(panel, storage.server, facts)
    with at_home(panel, tmp_path / "home") as home:
        code, said = home.divio("app", "pull", "media", "test")
        assert code == 0 and "Done" in said, said
        found = {
            str(p.relative_to(home.media)): p.read_bytes()
            for p in home.media.rglob("*")
            if p.is_file()
        }
        assert found == files
        (home.media / "a.jpg").unlink()
        (home.media / "new.png").write_bytes(b"new")
        code, said = home.divio("app", "push", "media", "test", "--noinput")
        assert code == 0 and "Restoring" in said, said
    keys = {item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert keys == {"päth/☃.txt", "empty", "x/y/z", "new.png"}
    assert client.head_object(Bucket=bucket, Key="new.png")["ContentType"] == "image/png"


def test_a_project_is_set_up(panel: Panel, tmp_path: Path) -> None:
    """What comes before: the client looks for the site, its repository and its branch."""
    with at_home(panel, tmp_path / "home") as home:
        code, said = home.divio("doctor", "-m", "-c", "login")
        assert code == 0, said
        code, said = home.divio("app", "setup", "demo", "--skip-doctor", "-p", str(home.folder))
        assert "is not an empty directory" in said
        code, said = home.divio("app", "setup", "demo", "--skip-doctor", "-p", str(tmp_path))
        assert code == 0 and "Your workspace is setup" in said, said
        found = json.loads((tmp_path / "demo" / ".divio" / "config.json").read_text())
        assert found["slug"] == "demo" and found["zone"] == home.zone
        assert (tmp_path / "demo" / ".git").is_dir()
        code, said = home.divio("app", "setup", "other", "--skip-doctor", "-p", str(tmp_path))
        assert code == 1, said


def test_what_is_refused_ends(panel: Panel, tmp_path: Path) -> None:
    """Nothing waits for ever, and each refusal says why."""
    uuid = data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES)
    with at_home(panel, tmp_path / "home") as home:
        no_dump = home.folder / "no.sql"
        no_dump.write_text("-- a dump of mine\n")
        push = ("app", "push", "db", "test", "--noinput", "-d", str(no_dump))
        code, said = home.divio(*push)
        assert code == 1 and "FAILURE" in said and "The file is no dump." in said, said
        assert data.data_of(panel, uuid) == data.ROWS
        code, said = home.divio(*push, person=BOB)
        assert code == 1 and "more than you may do here" in said, said
        code, said = home.divio(*push, person=CHARLIE)
        assert code == 1 and "application" in said and "404" not in said, said
        code, said = home.divio("app", "pull", "media", "nowhere")
        assert code == 1 and "There is no such environment" in said, said
        code, said = home.divio("app", "pull", "media", "test", "OTHER")
        assert code == 1 and "with prefix OTHER found" in said, said
        backend = data.backend_of(panel)
        backend.failures["backup"] = "The server is down."
        code, said = home.divio("app", "pull", "db", "test")
        assert code == 1 and "The server is down." in said, said
    with panel.reading():
        assert db.session.scalars(db.select(Restoration)).all() == []
        states = {row.status for row in db.session.scalars(db.select(Backup))}
        assert states == {WorkStatus.FAILED}
