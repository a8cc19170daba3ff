"""A mail on its way out."""

from __future__ import annotations

import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered, Outside
from app.keyrings import Encrypted


class Mail(Numbered, Outside, Base):
    """One mail to one address. The row is written with what it tells of and delivered after the
    commit, so that none is sent for what did not happen, and none is lost with a process."""

    __tablename__ = "mails"

    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str] = mapped_column(Encrypted, deferred=True)
    """May hold a link that opens something: emptied once it is delivered. Read by the attempt
    alone, so that one that cannot be decrypted stops nobody else's."""
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime.datetime | None] = mapped_column(index=True)
    """When to try next; None: delivered, or given up."""
    delivered_at: Mapped[datetime.datetime | None]
    failure: Mapped[str] = mapped_column(default="")
