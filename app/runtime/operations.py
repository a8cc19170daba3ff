"""Adding and removing release commands (D5)."""

from __future__ import annotations

import shlex

from app.accounts.models import User
from app.applications.models import Application
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db
from app.names import clean_name
from app.runtime.models import ReleaseCommand

COMMAND_LENGTH = 1000


def add_release_command(
    application: Application, label: str, command: str, actor: User
) -> ReleaseCommand:
    """Add a command behind the others; effective at the next deployment."""
    text = command.strip()
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Invalid("A quotation mark in the command is not closed.", "command") from error
    if not words or len(text) > COMMAND_LENGTH or "\x00" in text:
        raise Invalid(f"A command has 1 to {COMMAND_LENGTH} characters.", "command")
    row = ReleaseCommand(
        application_id=application.id, label=clean_name(label, "label"), command=text
    )
    db.session.add(row)
    _record("release_command.add", application, row, actor)
    return row


def remove_release_command(application: Application, row: ReleaseCommand, actor: User) -> None:
    """Remove it; effective at the next deployment."""
    _record("release_command.remove", application, row, actor)
    db.session.delete(row)


def _record(action: str, application: Application, row: ReleaseCommand, actor: User) -> None:
    record(
        action,
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        label=row.label,
    )
