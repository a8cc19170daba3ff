"""Back up, destroy, restore elsewhere: everything is as it was, on either database."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pyrage
import pytest
from click.testing import Result
from werkzeug.test import Cookie

from app.accounts.operations import create_access_token
from app.adapters.services import ServiceKind
from app.errors import Invalid
from app.extensions import db
from app.panel_backups.archive import reading
from app.panel_backups.envelope import opening
from app.repositories.queries import load_repository
from app.routes.queries import load_feed
from app.schema import UNFINISHED
from app.services.models import ServiceServer
from app.variables.models import Variable
from tests.addons.archives import archive
from tests.addons.registered import register, upload
from tests.deployments import site
from tests.house.postgresql import Template
from tests.panel import (
    ALICE,
    BOB,
    PASSWORD,
    Panel,
    application,
    environment,
    make_settings,
    user_of,
)

SECRET, SEALED = "the secret of a site", "the administrator's password"
Make = Callable[[str], Panel]


BOTH = pytest.mark.parametrize("make", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, panel_template: Path) -> Iterator[Make]:
    """Makes panels with data directories and databases of their own; `old` has schema and
    people."""
    made: list[Panel] = []
    postgresql = getattr(request, "param", "sqlite") == "postgresql"
    base = request.getfixturevalue("postgresql_url") if postgresql else ""
    names: list[str] = []

    def make(name: str) -> Panel:
        template = panel_template
        if base:
            names.append(f"{base.rpartition('/')[2]}_{name}")
            settled: Template = request.getfixturevalue("settled_postgresql_template")
            template = settled.data_dir
            like = f'TEMPLATE "{settled.database}" STRATEGY FILE_COPY' if name == "old" else ""
            _admin(base, f'CREATE DATABASE "{names[-1]}" {like}')
        if name == "old":
            shutil.copytree(template, tmp_path / name)
        settings = make_settings(tmp_path / name, f"{base}_{name}" if base else "")
        made.append(Panel(dataclasses.replace(settings, port=_free_port())))
        if name == "old":
            fill(made[-1])
        return made[-1]

    yield make
    for panel in made:
        panel.close()
    for name in names:
        _admin(base, f'DROP DATABASE "{name}" WITH (FORCE)')


def _admin(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(panel: Panel, *words: object, answer: str = "") -> Result:
    words_ = ["panel", *map(str, words)]
    return panel.app.test_cli_runner().invoke(args=words_, input=answer or None)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def fill(panel: Panel) -> None:
    """People, a deployed site, a secret of a site, one that only workers open, and a package."""
    site.commit(panel)
    site.deploy(panel)
    with panel.work():
        place = environment()
        db.session.add(Variable(environment_id=place.id, name="KEY", value=SECRET, is_secret=True))
        db.session.add(
            ServiceServer(
                region_id=place.region_id,
                kind=ServiceKind.POSTGRESQL,
                version="99",
                name="Ours",
                is_embedded=False,
                secret=SEALED,
            )
        )
    register(panel)
    upload(panel, archive())
    home = panel.settings.data_dir
    (home / "logs").mkdir(exist_ok=True)
    (home / "mail").mkdir(mode=0o700, exist_ok=True)
    (home / "mail" / "brief ünï\n.eml").write_text("Dear …")
    (home / "backups").mkdir()
    (home / "backups" / "large").write_bytes(os.urandom(3000))
    # What is made again, and what does not belong: none of it may be followed or waited for.
    (home / "run").mkdir(exist_ok=True)
    os.mkfifo(home / "logs" / "pipe")
    (home / "logs" / "link").symlink_to("/etc/shadow")


def files_of(panel: Panel) -> dict[str, tuple[int, str]]:
    """Rights and digests of the files that a backup brings back."""
    home = panel.settings.data_dir
    found = {}
    for folder in ("repositories", "addons", "logs", "mail", "secrets"):
        for path in (home / folder).rglob("*"):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                continue
            content = path.read_bytes() if path.is_file() else b""
            name = str(path.relative_to(home))
            if not name.endswith(".before-restore"):
                digest = hashlib.sha256(content).hexdigest()
                found[name] = (path.stat().st_mode & 0o7777, digest)
    return found


def rows_of(panel: Panel) -> dict[str, int]:
    with panel.reading():
        tables = db.metadata.sorted_tables
        return {
            table.name: db.session.execute(
                db.select(db.func.count()).select_from(table)
            ).scalar_one()
            for table in tables
        }


@BOTH
def test_the_original_is_destroyed_and_comes_back_elsewhere(make: Make, tmp_path: Path) -> None:
    old = make("old")
    client = old.client_of(ALICE)
    session = client.get_cookie("session") or client.get_cookie("__Host-session")
    with old.work():
        token = create_access_token(user_of(ALICE), "laptop", None)[1]
    with old.reading():
        tip = old.store.resolve(load_repository(application().id).uuid, "main")
        version = load_feed().version
    done(run(old, "keys", "rotate", "operator"))
    key, words = tmp_path / "panel.key", ""
    if old.settings.uses_sqlite:  # once is enough: each look into such a key takes a second
        words = "words\n"
    done(run(old, "backup-key", key, *["--passphrase"] * bool(words), answer=words * 2))
    assert key.stat().st_mode & 0o777 == 0o600
    assert ("AGE-SECRET" in key.read_text()) == (not words)
    before, rows = files_of(old), rows_of(old)
    file = tmp_path / "moonbase.age"
    told = done(run(old, "backup", file))
    assert "Left out: 0.0 MB of sites' backups" in told and "Not in it: data of sites" in told
    assert hashlib.sha256(file.read_bytes()).hexdigest() in told
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET.encode() not in file.read_bytes()
    assert "is there already" in run(old, "backup", file).output
    old.close()
    shutil.rmtree(old.settings.data_dir)

    new = make("new")
    if words:
        assert run(new, "restore", file, "--key", key, answer="wrong\n").exit_code == 1
    else:
        assert "Whole: " in done(run(new, "restore", file, "--key", key, "--check"))
    told = done(run(new, "restore", file, "--key", key, answer=words))
    assert "put the folder “backups” back" in told
    assert not (new.settings.data_dir / UNFINISHED).exists()
    assert files_of(new) == before
    after = rows_of(new)
    assert {name for name in rows if rows[name] != after[name]} == {"audit_lines"}
    assert done(run(new, "audit", "verify"))
    require_secrets_open(new)
    with new.reading():
        assert load_feed().version > version + 1000  # ingress nodes take the routes of now
        assert new.store.resolve(load_repository(application().id).uuid, "main") == tip
    require_people_come_in(new, session)
    clone(new, token, tmp_path)
    with new.work():  # numbers go on where they were
        create_access_token(user_of(ALICE), "another", None)
    # Images are not in a backup: the same commit is built again.
    site_again(new)


def require_secrets_open(panel: Panel) -> None:
    with panel.reading():
        assert SECRET in db.session.scalars(db.select(Variable.value)).all()
        ours = db.session.scalars(db.select(ServiceServer).filter_by(name="Ours")).one()
        assert ours.secret.open() == SEALED


def require_people_come_in(panel: Panel, session: Cookie | None) -> None:
    """By their passwords; who was signed in is so still."""
    visitor = panel.client()
    form = {"email": BOB.email, "password": PASSWORD}
    assert visitor.post("/account/sign-in/", data=form).status_code == 303
    assert visitor.get("/applications/").status_code == 200
    assert session
    visitor = panel.client()
    visitor.set_cookie(session.key, session.value)
    assert visitor.get("/account/").status_code == 200


def clone(panel: Panel, token: str, folder: Path) -> None:
    with panel.served() as (host, port):
        url = f"http://alice%40example.com:{token}@{host}:{port}/git/demo.git"
        command = ["git", "clone", "--quiet", url, str(folder / "clone")]
        subprocess.run(command, check=True, capture_output=True)
    log = subprocess.run(
        ["git", "-C", str(folder / "clone"), "fsck", "--strict"], check=True, capture_output=True
    )
    assert b"missing" not in log.stdout
    assert (folder / "clone" / "Dockerfile").read_text() == site.DOCKERFILE


def site_again(panel: Panel) -> None:
    panel.engine.add_image("base:1")
    row = site.deploy(panel)
    assert row.status == "succeeded", site.log_of(panel, row)
    assert site.visit(panel)


@BOTH
def test_everybody_works_on_meanwhile(make: Make, tmp_path: Path) -> None:
    """Commits, logs that grow and are cut, and rows, while a backup is taken: it is whole, and
    every row of it has the files it needs."""
    old = make("old")
    key, file = tmp_path / "key", tmp_path / "moonbase.age"
    done(run(old, "backup-key", key))
    stop = threading.Event()
    log = old.settings.data_dir / "logs" / "busy.log"

    def work() -> None:
        while not stop.is_set():
            log.write_bytes(os.urandom(200_000))
            site.commit(old)
            repository = next((old.settings.data_dir / "repositories").glob("*/*.git"))
            subprocess.run(
                ["git", "-C", str(repository), "gc", "--quiet"], check=False, capture_output=True
            )
            log.write_bytes(b"")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        done(run(old, "backup", file))
    finally:
        stop.set()
        worker.join()
    new = make("new")
    done(run(new, "restore", file, "--key", key))
    for repository in (new.settings.data_dir / "repositories").glob("*/*.git"):
        subprocess.run(
            ["git", "-C", str(repository), "-c", "safe.directory=*", "fsck", "--strict"],
            check=True,
            capture_output=True,
        )
    with new.reading():
        shas = db.session.execute(
            db.text("SELECT head FROM tracked_branches WHERE head IS NOT NULL")
        )
        for (sha,) in shas:
            assert any(
                subprocess.run(
                    ["git", "-C", str(one), "cat-file", "-e", sha], check=False
                ).returncode
                == 0
                for one in (new.settings.data_dir / "repositories").glob("*/*.git")
            )


def test_what_is_there_is_never_overwritten(make: Make, tmp_path: Path) -> None:
    old = make("old")
    key, file = tmp_path / "key", tmp_path / "moonbase.age"
    done(run(old, "backup-key", key))
    done(run(old, "backup", file))
    refused = run(old, "restore", file, "--key", key)
    assert refused.exit_code == 1 and "empty data directory" in refused.output
    new = make("new")
    with socket.create_server(("127.0.0.1", new.settings.port)):
        assert "stop the panel first" in run(new, "restore", file, "--key", key).output
    strange = new.settings.data_dir / "logs"
    strange.mkdir()
    (strange / "mine").write_text("mine")
    assert "logs/mine is there" in run(new, "restore", file, "--key", key).output
    assert not (new.settings.data_dir / "repositories").exists()
    shutil.rmtree(strange)
    fresh = (new.settings.data_dir / "secrets" / "site.keys").read_text()
    done(run(new, "restore", file, "--key", key))
    aside = new.settings.data_dir / "secrets" / "site.keys.before-restore"
    assert aside.read_text() == fresh


@pytest.mark.parametrize("make", ["postgresql"], indirect=True)
def test_a_restore_cut_off_is_gone_on_with(make: Make, tmp_path: Path) -> None:
    old = make("old")
    key, file, other = (tmp_path / name for name in ("key", "moonbase.age", "other.age"))
    done(run(old, "backup-key", key))
    done(run(old, "backup", file))
    done(run(old, "backup", other))
    new, home = make("new"), old.settings.data_dir
    with file.open("rb") as source:
        identity = pyrage.x25519.Identity.from_str(key.read_text().split()[-1])
        with opening(source, [identity]) as plain, reading(plain) as found:
            uuid = found.header.uuid
            with suppress(Invalid):  # who stops half-way has not seen that all is whole
                for entry, _ in zip(found.entries(), range(9), strict=False):
                    assert entry.info.name
    # As a kill leaves it: the mark, half of a file, and no more.
    (new.settings.data_dir / UNFINISHED).write_text(uuid)
    for path in ("secrets/audit.key", "addons/x"):
        place = new.settings.data_dir / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((home / path).read_bytes()[:9] if (home / path).exists() else b"x")
    (new.settings.data_dir / "addons" / "x").unlink()
    assert "cut off" in run(new, "migrate").output
    assert "another backup was cut off" in run(new, "restore", other, "--key", key).output
    done(run(new, "restore", file, "--key", key))
    assert files_of(new) == files_of(old)
