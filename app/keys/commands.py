"""`flask panel keys …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.keys import operations
from app.keys.operations import Ring
from app.transactions import unit_of_work

keys = AppGroup("keys", help="The keys of secrets at rest: rotate, reencrypt, retire.")
which = click.argument("ring", type=click.Choice([ring.value for ring in Ring]))


@keys.command("rotate")
@which
def rotate(ring: str) -> None:
    """Put a new key in front. Running processes use it from their next secret on."""
    with unit_of_work():
        count = operations.rotate(Ring(ring))
    click.echo(f"{count} keys; the newest encrypts from now on")


@keys.command("reencrypt")
def reencrypt() -> None:
    """Encrypt every secret in the database with the newest key. May be stopped and repeated."""
    count = operations.reencrypt()
    click.echo(f"{count.again} encrypted again, {count.newest} had the newest key")
    if count.unreadable:
        raise click.ClickException(
            f"{len(count.unreadable)} values are opened by no key: "
            f"{', '.join(count.unreadable[:20])}. Put the keys of their time back into the ring."
        )


@keys.command("retire")
@click.argument("ring", type=click.Choice([ring.value for ring in Ring]), default=Ring.SITE.value)
def retire(ring: str) -> None:
    """Remove all keys but the newest, if nothing needs them. Backups of before then cannot be
    read any more without a copy of the old keys; keys that sites' backups need stay."""
    done = operations.retire(Ring(ring))
    click.echo(f"{done.gone} old keys removed")
    if done.kept:
        click.echo(f"{done.kept} old keys stay until the last backup that needs them is gone")
