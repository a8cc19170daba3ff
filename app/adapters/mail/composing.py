"""Letters as mail servers want them. Called by the adapters that hand letters on.

Apart from the protocol, which every process loads: Python's mail library is not small.
"""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import idna

from app.adapters.mail import Letter
from app.errors import Unavailable


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
