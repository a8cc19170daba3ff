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
    row = ReleaseCommand(
        application_id=application.id,
        label=clean_name(label, "label"),
        command=clean_command(command),
    )
    db.session.add(row)
    _record("release_command.add", application, row, actor)
    return row


def clean_command(text: str) -> str:
    """One line of words, as a shell would split them, of a release command, a cron job or a worker
    process. Raises `Invalid`, field `command`."""
    command = text.strip()
    if "\n" in command or "\r" in command:
        raise Invalid(
            "A command is one line. For several, put them into a script of the repository.",
            "command",
        )
    if not 1 <= len(command) <= COMMAND_LENGTH or any(ord(letter) < ord(" ") for letter in command):
        raise Invalid(
            f"A command has 1 to {COMMAND_LENGTH} characters, and no tabs or the like.", "command"
        )
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Invalid("A quotation mark in the command is not closed.", "command") from error
    if not words or not words[0]:
        raise Invalid("The command names no program.", "command")
    return command


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
