"""A repository, and the branch each environment deploys."""

from __future__ import annotations

import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered, Outside


class Repository(Numbered, Outside, Base):
    """One application's repository. Its uuid is the key the repository store knows it by."""

    __tablename__ = "repositories"

    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), unique=True
    )
    storage_node: Mapped[str] = mapped_column(default="local")
    default_branch: Mapped[str] = mapped_column(default="main")
    pushed_at: Mapped[datetime.datetime | None]


class TrackedBranch(Numbered, Base):
    """What an environment's branch has and what is deployed of it.

    Kept up after each push and deployment, so that a list of a thousand sites asks no Git.
    """

    __tablename__ = "tracked_branches"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )
    head: Mapped[str | None]
    """None: the repository has no such branch."""
    subject: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")
    committed_at: Mapped[datetime.datetime | None]
    deployed: Mapped[str | None]
    pushed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Who moved the branch last, for a deployment that follows from it."""
    waiting: Mapped[int] = mapped_column(default=0)
    """How many commits of the branch are not deployed."""
