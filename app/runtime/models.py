"""Release commands, which belong to the application."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered


class ReleaseCommand(Numbered, Base):
    """A command run at each deployment, after the build, in the order of adding (L7251)."""

    __tablename__ = "release_commands"

    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True
    )
    label: Mapped[str]
    command: Mapped[str]
