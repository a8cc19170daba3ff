"""A variable, and how it came to be what it is."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
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
    version: Mapped[int] = mapped_column(default=1)
    """Goes up with each change, so that of two people who edit it the second one is told."""


class VariableChange(Numbered, Base):
    """One line of a variable's history. Values are kept encrypted, so that it can be undone."""

    __tablename__ = "variable_changes"
    __table_args__ = (Index("ix_variable_changes_environment_id_id", "environment_id", "id"),)

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    name: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    actor_name: Mapped[str]
    before: Mapped[str | None] = mapped_column(Encrypted)
    """None: there was no such variable."""
    after: Mapped[str | None] = mapped_column(Encrypted)
    """None: it was removed."""
    was_secret: Mapped[bool] = mapped_column(default=False)
    is_secret: Mapped[bool] = mapped_column(default=False)
