"""`flask panel audit …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.audit.chain import walk_chain

audit = AppGroup("audit", help="The audit log.")


@audit.command("verify")
@click.option("--noted", default="", help="The end an earlier run printed: it must still be there.")
def verify(noted: str) -> None:
    """Check every line; prints where the chain ends, or the first place where it is broken."""
    found = walk_chain(noted.strip())
    if found.older:
        click.echo(f"{found.older} lines from before the chain are not covered.")
    if found.why:
        raise click.ClickException(f"The chain is broken at line {found.broken_at}. {found.why}")
    click.echo(f"{found.lines} lines, chain whole, ends at {found.end or 'its beginning'}")
