"""A variable."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered
from app.keyrings import Encrypted


class Variable(Numbered, Base):
    """A name and a value a person set. Spaces in the value are kept (L5159)."""

    __tablename__ = "variables"
    __table_args__ = (UniqueConstraint("environment_id", "name"),)

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[str] = mapped_column(Encrypted)
    is_secret: Mapped[bool] = mapped_column(default=False)
