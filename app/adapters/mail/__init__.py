"""What Moonbase asks of a mail system: take one message to one address.

Called by `app.mails.jobs` only; everybody else writes to the outbox.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A plain-text mail. `key` is the same at every attempt, so that a receiver can tell a
    repetition from a second letter (it becomes the Message-ID)."""

    key: str
    sender: str
    recipient: str
    subject: str
    text: str
    written_at: datetime.datetime


class Mailer(Protocol):
    """Hands letters on."""

    def send(self, letter: Letter) -> None:
        """Raises `Unavailable`, with `retry` False when this letter will never be taken."""
        ...


def compose(letter: Letter) -> EmailMessage:
    """The letter as RFC 5322 wants it. A line break in a header is refused by the library."""
    message = EmailMessage(policy=SMTP)
    message["From"] = letter.sender
    message["To"] = letter.recipient
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = f"<{letter.key}@{letter.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
    message.set_content(letter.text)
    return message
