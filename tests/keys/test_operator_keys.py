"""The operator's keys: whoever has none can seal, rotation loses nothing, backups keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.adapters.services import Content, ServiceKind
from app.backups.models import Backup, BackupOrigin, BackupPart
from app.errors import Conflict, Unavailable
from app.extensions import db
from app.keys import operations
from app.keys.operations import Ring
from app.seals import Seal, present_seal
from app.services.models import ServiceServer
from tests.keys.test_rotation import both as both
from tests.keys.test_rotation import keys
from tests.panel import Panel, environment

PASSWORD = "of the administrator"


def keys_file(panel: Panel) -> Path:
    return panel.settings.data_dir / "secrets" / "operator.keys"


def seal_something(panel: Panel) -> None:
    with panel.work():
        region = environment().region_id
        db.session.add(
            ServiceServer(
                region_id=region,
                kind=ServiceKind.POSTGRESQL,
                version="99",
                name="Ours",
                is_embedded=True,
                secret=PASSWORD,
            )
        )


def opened(panel: Panel) -> str:
    with panel.reading():
        return (
            db.session.scalars(db.select(ServiceServer).filter_by(name="Ours")).one().secret.open()
        )


def take_backup(panel: Panel) -> int:
    """A row of a backup that is sealed for the key of now."""
    with panel.work():
        part = BackupPart(
            content=Content.DATABASE, kind=ServiceKind.POSTGRESQL, version="15", prefix="DEFAULT"
        )
        part.recipient = str(present_seal().recipient())
        backup = Backup(environment_id=environment().id, origin=BackupOrigin.ON_DEMAND)
        backup.parts.append(part)
        db.session.add(backup)
        db.session.flush()
        return backup.id


def test_rotate_reencrypt_retire(both: Panel) -> None:
    panel = both
    old = keys_file(panel).read_text().strip()
    seal_something(panel)
    assert keys(panel, "rotate", "operator").output.startswith("2 keys")
    assert keys_file(panel).read_text().split()[1:] == [old]
    assert opened(panel) == PASSWORD
    refused = keys(panel, "retire", "operator")
    assert refused.exit_code != 0 and "needs an older key" in refused.output
    assert keys(panel, "reencrypt").exit_code == 0
    assert keys(panel, "reencrypt").output.startswith("0 encrypted again")
    assert keys(panel, "retire", "operator").output == "1 old keys removed\n"
    assert old not in keys_file(panel).read_text()
    assert opened(panel) == PASSWORD
    assert keys_file(panel).stat().st_mode & 0o777 == 0o600
    with panel.reading(), pytest.raises(Unavailable, match="put the keys of the same time back"):
        Seal(Path("/nonexistent")).open("")


def test_a_key_stays_until_the_last_backup_that_needs_it_is_gone(panel: Panel) -> None:
    first = take_backup(panel)
    with panel.reading():
        whose = present_seal().recipient()
        file = present_seal().close("the dump")
    keys(panel, "rotate", "operator")
    with panel.reading():
        assert str(present_seal().recipient()) != str(whose)
    keys(panel, "rotate", "operator")
    assert keys(panel, "reencrypt").exit_code == 0
    done = keys(panel, "retire", "operator").output
    assert done.startswith("1 old keys removed\n1 old keys stay until")
    with panel.reading():
        assert present_seal().open(file) == "the dump"
    with panel.work():
        db.session.delete(db.session.get_one(Backup, first))
    assert keys(panel, "retire", "operator").output == "1 old keys removed\n"
    with panel.reading(), pytest.raises(Unavailable):
        present_seal().open(file)


def test_who_has_no_keys_seals_and_neither_opens_nor_replaces(panel: Panel, tmp_path: Path) -> None:
    """As a container without the keys' folder is, or the web process."""
    seal_something(panel)
    secrets = panel.settings.data_dir / "secrets"
    bare = Seal(secrets, tmp_path / "operator.keys")
    token = bare.close("x")
    with pytest.raises(Unavailable, match="cannot be opened"):
        bare.open(token)
    before = bare.recipients.read_text()
    for act in (bare.add_key, lambda: bare.drop_keys([before.strip()])):
        with pytest.raises(Unavailable, match="are not here"):
            act()
    bare.ensure()
    assert bare.recipients.read_text() == before and not bare.keys.exists()
    assert Seal(secrets).open(token) == "x"
    with panel.reading():
        stored = db.session.scalar(text("SELECT secret FROM service_servers WHERE name = 'Ours'"))
    assert PASSWORD not in str(stored)


def test_nobody_makes_keys_in_passing(tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    with pytest.raises(Unavailable, match="flask panel migrate"):
        seal.close("x")
    assert list(tmp_path.iterdir()) == []
    # An operator who rotated before there was anything to seal left a key of another kind.
    (tmp_path / "operator.keys").write_text(Fernet.generate_key().decode())
    seal.ensure()
    seal.ensure()
    assert seal.open(seal.close("x")) == "x" and len(seal.identities()) == 1


def test_a_rotation_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    """Killed between the two files: the new key is there and nobody seals for it yet."""
    seal = Seal(tmp_path)
    seal.ensure()
    before = seal.recipients.read_text()
    token = seal.close("x")
    seal.add_key()
    seal.recipients.write_text(before)
    assert seal.open(seal.close("y")) == "y"
    assert seal.add_key() == 3
    assert seal.open(token) == "x" and len(seal.recipients.read_text().split()) == 3


def test_retiring_checks_again_itself(panel: Panel) -> None:
    seal_something(panel)
    keys(panel, "rotate", "operator")
    with panel.reading(), pytest.raises(Conflict, match="older key"):
        operations.retire(Ring.OPERATOR)
    assert len(keys_file(panel).read_text().split()) == 2
