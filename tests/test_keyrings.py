"""Secrets at rest: unreadable in the database, and readable after a key was added."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from app import keyrings
from app.errors import Unavailable
from app.extensions import db
from app.keyrings import KeyRing
from app.variables.operations import set_variable
from app.variables.queries import find_variable
from tests.panel import ALICE, Panel, environment, make_settings, user_of


def test_what_one_ring_encrypts_it_decrypts() -> None:
    ring = KeyRing([Fernet.generate_key().decode()])
    assert ring.decrypt(ring.encrypt("käse\n")) == "käse\n"
    assert ring.encrypt("same") != ring.encrypt("same")


def test_a_new_key_in_front_still_reads_old_data() -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    token = KeyRing([old]).encrypt("secret")
    rotated = KeyRing([new, old])
    assert rotated.decrypt(token) == "secret"
    assert KeyRing([new]).decrypt(rotated.encrypt("newer")) == "newer"


@pytest.mark.parametrize("token", ["", "garbage", "gAAAAA=="])
def test_what_no_key_opens_is_a_sentence(token: str) -> None:
    with pytest.raises(Unavailable, match="cannot be decrypted"):
        KeyRing([Fernet.generate_key().decode()]).decrypt(token)


def test_a_ring_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "site.keys"
    token = KeyRing.kept_in(path).encrypt("secret")
    path.write_text(f"{Fernet.generate_key().decode()}\n{path.read_text()}")
    assert KeyRing.kept_in(path).decrypt(token) == "secret"


def test_values_are_unreadable_in_the_database_and_survive_a_rotation(panel: Panel) -> None:
    with panel.work():
        set_variable(environment(), "API_KEY", "opensesame-1", True, user_of(ALICE))
    with panel.reading():
        raw = db.session.scalar(text("SELECT value FROM variables"))
        assert raw and "opensesame" not in raw
        secret_keys = db.session.scalars(text("SELECT secret_key FROM environments")).all()
        assert all(key.startswith("gAAAA") for key in secret_keys)
    keys = panel.settings.data_dir / "secrets" / "site.keys"
    keys.write_text(f"{Fernet.generate_key().decode()}\n{keys.read_text()}")
    again = Panel(make_settings(panel.settings.data_dir))
    with again.reading():
        variable = find_variable(environment().id, "API_KEY")
        assert variable and variable.value == "opensesame-1"
    again.close()


def test_without_a_ring_nothing_is_written_in_clear(panel: Panel) -> None:
    ring = panel.app.extensions.pop(keyrings.EXTENSION)
    try:
        with pytest.raises(Exception, match=keyrings.EXTENSION), panel.work():
            set_variable(environment(), "API_KEY", "opensesame-1", True, user_of(ALICE))
    finally:
        panel.app.extensions[keyrings.EXTENSION] = ring
