"""An environment."""

from __future__ import annotations

import secrets

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.applications.models import Application
from app.extensions import Base, Numbered, Outside, Trashable
from app.keyrings import Encrypted
from app.regions.models import Region

TEST = "test"
LIVE = "live"


class Environment(Numbered, Outside, Trashable, Base):
    """One running place of an application. Changes take effect at its next deployment."""

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("application_id", "slug"),)

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    region_id: Mapped[int] = mapped_column(ForeignKey("regions.id"))
    slug: Mapped[str]
    name: Mapped[str]
    branch: Mapped[str] = mapped_column(default="main")
    containers: Mapped[int] = mapped_column(default=1)
    """How many web containers run side by side; more than one on Live only (C8)."""
    is_deployed_on_push: Mapped[bool] = mapped_column(default=False)
    secret_key: Mapped[str] = mapped_column(
        Encrypted, default=lambda: secrets.token_urlsafe(48), deferred=True
    )
    """The site's `SECRET_KEY`, the same over all its deployments. Decrypted only for who asks."""

    application: Mapped[Application] = relationship()
    region: Mapped[Region] = relationship()

    @property
    def place(self) -> str:
        """How audit lines and mails name it: `demo/live`."""
        return f"{self.application.slug}/{self.slug}"

    @property
    def is_trashed(self) -> bool:
        """Whether it lies in the trash, by itself or with its application."""
        return self.trashed_at is not None or self.application.trashed_at is not None

    @property
    def is_live(self) -> bool:
        return self.slug == LIVE

    @property
    def is_test(self) -> bool:
        return self.slug == TEST
