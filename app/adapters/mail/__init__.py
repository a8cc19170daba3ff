"""What Moonbase asks of a mail system: take one message to one address.

Called by `app.mails` and the operator's test only; everybody else writes to the outbox.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A plain-text mail. `key` is the same at every attempt, so that a receiver can tell a
    repetition from a second letter (it becomes the Message-ID)."""

    key: str
    sender: str
    """An address, or a name and an address: `Moonbase <moonbase@example.com>`."""
    recipient: str
    subject: str
    text: str
    written_at: datetime.datetime


class Mailer(Protocol):
    """Hands letters on."""

    def send(self, letter: Letter) -> None:
        """Raises `Unavailable`, with `retry` False when this letter will never be taken."""
        ...
