"""`flask panel mail …`: whether mails leave this machine."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.adapters.mail import Letter
from app.extensions import now
from app.installation import installation

mail = AppGroup("mail", help="Mails.")


@mail.command("test")
@click.argument("address")
def send_test(address: str) -> None:
    """Send one mail to ADDRESS now, past the outbox, and say what became of it.

    Set MOONBASE_MAIL_URL as `make run` has it: this command reads its own environment.
    """
    here = installation()
    name = here.settings.panel_name
    text = f"If you can read this, {name} can write to you.\n\nMoonbase\n"
    sender = here.settings.mail_sender
    letter = Letter(str(uuid.uuid4()), sender, address, f"A test of {name}", text, now())
    here.adapters.mailer.send(letter)
    where = "handed to the mail server" if here.settings.mail_url else "written to mail/"
    click.echo(f"{where}, from {sender} to {address}")
