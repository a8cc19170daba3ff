"""`flask panel backup`, `flask panel backup-key` and `flask panel restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pyrage
from flask.cli import with_appcontext

from app.errors import Conflict, Invalid
from app.installation import installation
from app.keyrings import replace_keys
from app.panel_backups import operations
from app.panel_backups.restoring import restore_backup

ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----"
EMBEDDED = (
    "Not in it: data of sites in databases and stores of their own (that is in sites' backups), "
    "images (deployments make them again), settings outside of DATA_DIR."
)


@click.command("backup-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--passphrase", is_flag=True, help="Protect the file by a passphrase, asked for.")
@with_appcontext
def backup_key(file: Path, passphrase: bool) -> None:
    """Make the key for the panel's own backups: FILE opens them, and belongs in a safe place that
    is not this machine. The panel keeps the public half only. Prints it."""
    if file.exists():
        raise Conflict(f"{file} is there already.")
    identity = pyrage.x25519.Identity.generate()
    content = f"# public key: {identity.to_public()}\n{identity}\n".encode()
    if passphrase:
        words = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
        content = pyrage.passphrase.encrypt(content, words, armored=True)
    file.touch(mode=0o600)
    file.write_bytes(content)
    replace_keys(_kept_recipients(), [str(identity.to_public())], first_mode=0o640)
    click.echo(identity.to_public())


@click.command("backup")
@click.argument("file", default="-")
@click.option("--recipient", multiple=True, help="A public key; that of backup-key if left out.")
@click.option("--with-store", is_flag=True, help="The backups of sites too: as large as they are.")
@with_appcontext
def backup(file: str, recipient: tuple[str, ...], with_store: bool) -> None:
    """Back the panel up while it runs, into FILE or to the standard output (-). A file is read
    again before it gets its name; what goes to the output, check yourself (restore --check)."""
    recipients = recipient or _recipients()
    if file == "-":
        taken = operations.stream_backup(sys.stdout.buffer, recipients, with_store=with_store)
    else:
        taken = operations.take_backup(Path(file), recipients, with_store=with_store)
    size = _megabytes(taken.size)
    click.echo(f"{taken.files} files, {size}, sha256 {taken.sha256}", err=True)
    click.echo(f"Sealed for {', '.join(recipients)}", err=True)
    click.echo(EMBEDDED, err=True)
    if taken.store_bytes:
        left = _megabytes(taken.store_bytes)
        click.echo(f"Left out: {left} of sites' backups (--with-store takes them).", err=True)


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Read it from beginning to end and change nothing.")
@with_appcontext
def restore(file: Path, key: Path, check: bool) -> None:
    """Bring the panel back from FILE, with the key file that backup-key made, into an empty data
    directory and database. Start the panel afterwards."""
    identities = _identities(key)
    if check:
        header, count = operations.check_backup(file, identities)
        click.echo(f"Whole: {count} files, taken {header.created_at}")
        return
    header = restore_backup(file, identities)
    click.echo(f"Restored as of {header.created_at}. Start the panel now.")
    click.echo("Sites come back where their images are, else with their next deployment.")
    if not header.has_store:
        click.echo("Sites' backups were not in it: put the folder “backups” back by hand.")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _kept_recipients() -> Path:
    return installation().settings.data_dir / "secrets" / "backup.recipients"


def _recipients() -> list[str]:
    """Those that `backup-key` left."""
    try:
        found = _kept_recipients().read_text().split()
    except OSError:
        found = []
    if not found:
        raise Invalid(
            "Whom is the backup for? Make a key with “flask panel backup-key FILE” and keep FILE "
            "away from this machine, or name a public key with --recipient."
        )
    return found


def _identities(key: Path) -> list[Any]:
    content = key.read_bytes()
    if content.startswith((ARMOUR, b"age-encryption.org/")):
        words = click.prompt("Passphrase", hide_input=True, err=True)
        try:
            content = pyrage.passphrase.decrypt(content, words)
        except pyrage.DecryptError as error:
            raise Invalid("This passphrase does not open the key.") from error
    lines = [line for line in content.decode(errors="replace").split("\n") if line.strip()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line[0] != "#"]
    except pyrage.IdentityError as error:
        raise Invalid(f"{key} is no key of backup-key or age-keygen.") from error
    return found
