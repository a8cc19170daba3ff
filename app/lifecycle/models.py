"""What is in the trash, besides the moment that stands in the thing's own row."""

from __future__ import annotations

import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.applications.models import Application
from app.environments.models import Environment
from app.extensions import Base, Numbered, Outside


class TrashEntry(Numbered, Outside, Base):
    """An application or an environment that somebody moved to the trash. Goes when it is restored,
    and with it when it is deleted for good."""

    __tablename__ = "trash_entries"
    __table_args__ = (
        CheckConstraint("(application_id IS NULL) <> (environment_id IS NULL)", name="one_thing"),
    )

    application_id: Mapped[int | None] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), unique=True
    )
    environment_id: Mapped[int | None] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )
    measured_at: Mapped[datetime.datetime | None]
    """None: a worker has not looked yet. Sizes in bytes."""
    repository_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    image_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Images that nobody else uses. Layers they share are counted with each: the engine does not
    say what removing one would free."""
    log_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    deletion_began_at: Mapped[datetime.datetime | None]
    """From here on there is no way back: parts may be gone already."""
    failure: Mapped[str] = mapped_column(default="")
    """Why the final deletion has not come to its end yet; it is tried again."""

    application: Mapped[Application | None] = relationship()
    environment: Mapped[Environment | None] = relationship()

    @property
    def thing(self) -> Application | Environment:
        """What lies here."""
        found = self.application or self.environment
        if found is None:
            raise RuntimeError("a trash entry refers to one thing")
        return found

    @property
    def total_bytes(self) -> int:
        return self.repository_bytes + self.image_bytes + self.log_bytes
