"""Rotation from end to end: old data, running processes, a run that is killed, old backups."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.errors import Conflict
from app.extensions import Base, db
from app.keyrings import Encrypted, KeyRing, add_key
from app.keys import operations
from app.keys.operations import Ring, encrypted_tables
from app.variables.models import Variable
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    Panel,
    environment,
    make_settings,
    user_of,
)

SECRET = "opensesame-1"


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest) -> Panel:
    """A panel with people on either database."""
    name = "panel" if request.param == "sqlite" else "settled_postgresql_panel"
    panel: Panel = request.getfixturevalue(name)
    return panel


def keys(panel: Panel, *words: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=["panel", "keys", *words])


def ring_file(panel: Panel) -> Path:
    return panel.settings.data_dir / "secrets" / "site.keys"


def set_secrets(panel: Panel, count: int = 1, value: str = SECRET) -> None:
    with panel.work():
        place = environment().id
        db.session.add_all(
            Variable(environment_id=place, name=f"KEY_{n}", value=value, is_secret=True)
            for n in range(count)
        )


def values(panel: Panel) -> list[str]:
    with panel.reading():
        found = db.select(Variable.value).where(Variable.name.startswith("KEY_"))
        return list(db.session.scalars(found))


def test_rotate_reencrypt_retire(both: Panel) -> None:
    panel = both
    set_secrets(panel, 120)
    with panel.work():
        user_of(ALICE).totp_secret = "JBSWY3DPEHPK3PXP"
    old = ring_file(panel).read_text().strip()
    assert keys(panel, "rotate", "site").output.startswith("2 keys")
    assert ring_file(panel).read_text().split()[1:] == [old]
    refused = keys(panel, "retire")
    assert refused.exit_code != 0 and "needs an older key" in refused.output
    done = keys(panel, "reencrypt")
    assert done.exit_code == 0, done.output
    again = keys(panel, "reencrypt")
    assert again.output.startswith("0 encrypted again")
    assert keys(panel, "retire").output == "1 old keys removed\n"
    assert old not in ring_file(panel).read_text()
    assert values(panel) == [SECRET] * 120
    with panel.reading():
        assert user_of(ALICE).totp_secret == "JBSWY3DPEHPK3PXP"
    told = panel.app.test_cli_runner().invoke(args=["panel", "audit", "verify"])
    assert told.exit_code == 0


def test_every_encrypted_column_of_every_table_is_covered(panel: Panel) -> None:
    """Releases, variables and their history, environments, mails, second factors: whatever uses
    the column type."""
    with panel.reading():
        covered = {
            f"{table.name}.{column.name}" for table, found in encrypted_tables() for column in found
        }
    mapped = {
        f"{mapper.local_table.name}.{column.name}"  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        for column in mapper.local_table.columns
        if isinstance(column.type, Encrypted)
    }
    assert covered == mapped
    assert {"variables.value", "releases.encrypted_variables", "releases.secrets"} <= covered
    assert {"users.totp_secret", "mails.text", "environments.secret_key"} <= covered


def test_running_processes_follow_without_a_restart(panel: Panel) -> None:
    """Two apps over one data directory, as web and worker are: each reads what the other has
    written with a key it has not seen yet, and neither writes with an old one."""
    other = Panel(make_settings(panel.settings.data_dir))
    set_secrets(panel)
    assert values(other) == [SECRET]
    assert keys(panel, "rotate", "site").exit_code == 0
    with panel.work():
        db.session.execute(db.delete(Variable))
    set_secrets(panel, value="with the new key")
    assert values(other) == ["with the new key"]
    assert keys(panel, "rotate", "site").exit_code == 0
    with other.work():
        db.session.execute(db.delete(Variable))
    set_secrets(other, value="by the other process")
    newest = KeyRing(ring_file(panel).read_text().split()[:1])
    with panel.reading():
        token = db.session.scalar(text("SELECT value FROM variables"))
    assert newest.decrypt(str(token)) == "by the other process"
    assert values(panel) == ["by the other process"]
    other.close()


def _reencrypt(data_dir: Path) -> None:
    """In a process of its own, to be killed."""
    panel = Panel(make_settings(data_dir))
    with panel.app.app_context():
        operations.reencrypt()


def test_a_run_that_is_killed_half_way_is_gone_on_with(panel: Panel) -> None:
    count = 1500
    set_secrets(panel, count)
    database = panel.settings.data_dir / "panel" / "panel.sqlite3"
    with sqlite3.connect(database) as connection:
        before = set(connection.execute("SELECT value FROM variables"))
    keys(panel, "rotate", "site")
    home = panel.settings.data_dir
    process = multiprocessing.get_context("spawn").Process(target=_reencrypt, args=(home,))
    process.start()
    changed = 0
    while changed < 100 and process.is_alive():
        with sqlite3.connect(database) as connection:
            changed = len(set(connection.execute("SELECT value FROM variables")) - before)
    process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert values(panel) == [SECRET] * count  # readable all the time, with either key
    assert keys(panel, "retire").exit_code != 0
    done = keys(panel, "reencrypt").output.split()
    again, had = int(done[0]), int(done[3])
    assert again > 0 and had >= 100
    assert keys(panel, "retire").exit_code == 0
    assert values(panel) == [SECRET] * count


def test_a_row_written_meanwhile_is_not_overwritten(panel: Panel) -> None:
    set_secrets(panel)
    keys(panel, "rotate", "site")
    other = Panel(make_settings(panel.settings.data_dir))
    with other.work():
        db.session.scalars(db.select(Variable)).one().value = "newer"
    keys(panel, "reencrypt")
    assert values(panel) == ["newer"]
    other.close()


def test_an_old_backup_says_what_is_missing(panel: Panel) -> None:
    """The database of before the rotation, with the keys of after it."""
    set_secrets(panel)
    folder = panel.settings.data_dir / "panel"
    with panel.app.app_context():
        db.session.remove()
        db.engine.dispose()
    shutil.copytree(folder, folder.with_name("backup"))
    for step in (("rotate", "site"), ("reencrypt",), ("retire",)):
        assert keys(panel, *step).exit_code == 0
    with panel.app.app_context():
        db.session.remove()
        db.engine.dispose()
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("backup"), folder)
    told = keys(panel, "reencrypt")
    assert told.exit_code != 0
    assert "opened by no key" in told.output and "variables" in told.output
    assert keys(panel, "retire").exit_code != 0
    page = panel.client_of(ALICE).get("/applications/demo/environments/test/variables/")
    assert page.status_code == 503
    assert "put the keys of the same time back" in page.text


def test_the_file_keeps_its_mode_and_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "site.keys"
    ring = KeyRing.kept_in(path)
    path.chmod(0o640)
    token = ring.encrypt("x")
    assert add_key(path) == 2
    assert path.stat().st_mode & 0o777 == 0o640
    assert ring.decrypt(token) == "x" and ring.size == 2
    assert not ring.is_of_newest(token) and ring.is_of_newest(ring.encrypt("x"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["site.keys"]


def test_keys_of_operators_who_rotate_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "site.keys"
    KeyRing.kept_in(path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_key, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    found = path.read_text().split()
    assert len(found) == len(set(found)) == 5
    for key in found:
        Fernet(key)


def test_retiring_checks_again_itself(panel: Panel) -> None:
    set_secrets(panel)
    keys(panel, "rotate", "site")
    with panel.reading(), pytest.raises(Conflict, match="older key"):
        operations.retire(Ring.SITE)
    assert len(ring_file(panel).read_text().split()) == 2


def test_a_second_factor_that_cannot_be_read_is_told_in_words(panel: Panel) -> None:
    with panel.work():
        user_of(ALICE).totp_secret = "JBSWY3DPEHPK3PXP"
    alice = panel.client_of(ALICE)
    path = ring_file(panel)
    path.unlink()
    path.write_text(Fernet.generate_key().decode())
    answer = alice.get("/account/")
    assert answer.status_code in {200, 503}
    if answer.status_code == 503:
        assert "cannot be decrypted" in answer.text
    assert panel.client_of(BOB).get("/account/").status_code == 200
    assert panel.client_of(CHARLIE).get("/status/").status_code == 200
