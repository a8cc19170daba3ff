"""A host name."""

from __future__ import annotations

import datetime
import secrets
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered, Outside, Trashable


class DomainKind(StrEnum):
    """What a host name is to its environment (E1)."""

    PLATFORM = "platform"
    """Given by the platform, for good (E4)."""
    PRIMARY = "primary"
    """The one own host that people are shown; `DOMAIN` is it."""
    ALIAS = "alias"
    """Serves the same site; one of `DOMAIN_ALIASES`."""
    REDIRECT = "redirect"
    """Sends people on to the primary host; one of `DOMAIN_REDIRECTS`."""


class RedirectBy(StrEnum):
    """Who answers at a redirecting host, and how (checklist Part 2, "redirects")."""

    FOUND = "302"
    MOVED_PERMANENTLY = "301"
    APPLICATION = "application"
    """The platform passes the request on: the site itself redirects."""


class Domain(Numbered, Outside, Trashable, Base):
    """A host name that an environment claims. A claim counts once its ownership is proved, and
    of a proved host there is one row in the whole installation; platform hosts are proved from
    the start. An unproved claim keeps nobody else from the host."""

    __tablename__ = "domains"
    __table_args__ = (
        Index(
            "uq_domains_proved_host",
            "host",
            unique=True,
            sqlite_where=text("proved_at IS NOT NULL"),
            postgresql_where=text("proved_at IS NOT NULL"),
        ),
        UniqueConstraint("environment_id", "host"),
    )

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(index=True)
    """Lower case, in its ASCII form (IDNA)."""
    kind: Mapped[DomainKind]
    redirect_by: Mapped[RedirectBy] = mapped_column(default=RedirectBy.FOUND)
    proof_token: Mapped[str] = mapped_column(default=lambda: secrets.token_hex(20))
    """What a TXT record or a file at the host must hold to prove ownership."""
    proved_at: Mapped[datetime.datetime | None]
    checked_at: Mapped[datetime.datetime | None]
    check_sentence: Mapped[str] = mapped_column(default="")
    """What the last look at the DNS found, in plain words."""
