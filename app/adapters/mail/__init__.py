"""What Moonbase asks of a mail system: take one message to one address.

Called by `app.mails` and the operator's test only; everybody else writes to the outbox.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Protocol

import idna

from app.errors import Unavailable


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


def compose(letter: Letter, encoding: str | None = None) -> EmailMessage:
    """The letter as RFC 5322 wants it, to exactly one address. Without an `encoding` of the text
    one is taken that passes every mail server.

    Raises `Unavailable`, for good, when sender or recipient is not an address.
    """
    message = EmailMessage(policy=SMTP)
    try:
        sender = _address(letter.sender)
        message["From"] = sender
        message["To"] = _address(letter.recipient)
        message["Subject"] = " ".join(letter.subject.split())
        message["Date"] = format_datetime(letter.written_at)
        message["Message-ID"] = f"<{letter.key}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
        message.set_content(letter.text, cte=encoding)
    except (ValueError, IndexError, MessageError) as error:
        raise Unavailable("The letter's address cannot be used.", retry=False) from error
    return message


def _address(text: str) -> Address:
    """Raises ValueError when `text` is not one address. A domain beyond ASCII is written in its
    ASCII form (RFC 5891), which every mail server knows."""
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode()
    one = Address(display_name=name, addr_spec=f"{local}@{domain}")
    if not (one.username and one.domain) or text.count("@") - name.count("@") != 1:
        raise ValueError(f"not one address: {text!r}")
    return one
