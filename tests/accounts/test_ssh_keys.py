"""SSH keys: what OpenSSH makes is taken, what is weak or secret or no key is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.accounts.operations import add_ssh_key
from app.accounts.public_keys import read_public_key
from app.errors import Invalid
from tests.panel import ALICE, BOB, Panel, user_of


def make_key(tmp_path: Path, *options: str) -> Path:
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-N", "", "-C", "me@laptop", "-f", str(path), *options]
    subprocess.run(command, check=True, capture_output=True)
    return path.with_suffix(".pub")


def fingerprint(public: Path) -> str:
    listed = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True)
    return listed.stdout.decode().split()[1]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("-t", "ed25519"), "ED25519"),
        (("-t", "ecdsa", "-b", "256"), "ECDSA"),
        (("-t", "ecdsa", "-b", "521"), "ECDSA"),
        (("-t", "rsa", "-b", "2048"), "RSA"),
        (("-t", "rsa", "-b", "4096"), "RSA"),
    ],
)
def test_good_keys_are_read_as_ssh_keygen_does(
    tmp_path: Path, options: tuple[str, ...], kind: str
) -> None:
    public = make_key(tmp_path, *options)
    key = read_public_key(f"  {public.read_text()}\n")
    assert (key.kind, key.fingerprint, key.comment) == (kind, fingerprint(public), "me@laptop")
    assert public.read_text().startswith(key.text)


def test_short_rsa_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="too short"):
        read_public_key(make_key(tmp_path, "-t", "rsa", "-b", "1024").read_text())


def test_dsa_keys_are_refused() -> None:
    key = dsa.generate_private_key(1024).public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with pytest.raises(Invalid):
        read_public_key(text)


def test_a_private_key_is_refused_with_a_warning_and_kept_nowhere(
    panel: Panel, tmp_path: Path
) -> None:
    private = make_key(tmp_path, "-t", "ed25519").with_suffix("").read_text()
    data = {"name": "laptop", "public_key": private}
    answer = panel.client_of(ALICE).post("/account/ssh-keys/", data=data)
    assert answer.status_code == 200 and "private key" in answer.text
    secret = private.splitlines()[2]
    database = (panel.settings.data_dir / "panel").iterdir()
    assert not any(secret.encode() in file.read_bytes() for file in database)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ",
        "hello world",
        "x" * 100_000,
        'command="sh" ssh-ed25519 AAAA',
        "ssh-ed25519 ÄÖÜ",
        "ssh-ed25519 AAAA\nssh-ed25519 AAAA",
        "\0 \0",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_public_key(text)
    assert refused.value.field == "public_key"


def test_a_key_belongs_to_one_account(panel: Panel, tmp_path: Path) -> None:
    text = make_key(tmp_path, "-t", "ed25519").read_text()
    with panel.work():
        add_ssh_key(user_of(ALICE), "", text)
    with pytest.raises(Invalid, match="in use"), panel.work():
        add_ssh_key(user_of(BOB), "", text)


def test_a_key_is_removed_by_its_owner_only(panel: Panel, tmp_path: Path) -> None:
    with panel.work():
        add_ssh_key(user_of(ALICE), "", make_key(tmp_path, "-t", "ed25519").read_text())
    assert panel.client_of(BOB).post("/account/ssh-keys/1/remove/").status_code == 404
    with panel.reading():
        assert [key.name for key in user_of(ALICE).ssh_keys] == ["me@laptop"]
    assert panel.client_of(ALICE).post("/account/ssh-keys/1/remove/").status_code == 303
    with panel.reading():
        assert user_of(ALICE).ssh_keys == []
