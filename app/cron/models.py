"""Runs of cron jobs, and how far the clock was read."""

from __future__ import annotations

import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.environments.models import Environment
from app.extensions import Base, Numbered, Outside
from app.runtime.models import Overlap


class RunStatus(StrEnum):
    """How a run stands. Nothing is run twice in silence: one whose start is not known after a
    crash is `unknown`, one that nobody was there for is `missed`."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    """The last one still ran."""
    MISSED = "missed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        return self not in (RunStatus.WAITING, RunStatus.RUNNING)

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self in (RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.UNKNOWN)


class Cause(StrEnum):
    """Why there is a run."""

    CLOCK = "clock"
    PERSON = "person"
    AGAIN = "again"
    """One before it was missed or lost, and the job allows to repeat it."""


class CronRun(Numbered, Outside, Base):
    """One run of a job that the environment's release has. The row comes before the container."""

    __tablename__ = "cron_runs"
    __table_args__ = (
        UniqueConstraint("environment_id", "job_uuid", "due_at", "attempt"),
        Index("ix_cron_runs_environment_id_job_uuid_id", "environment_id", "job_uuid", "id"),
    )

    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id", ondelete="CASCADE"))
    job_uuid: Mapped[str]
    label: Mapped[str]
    command: Mapped[str]
    timeout_seconds: Mapped[int]
    overlap: Mapped[Overlap]
    repeats_lost: Mapped[bool]
    due_at: Mapped[datetime.datetime]
    attempt: Mapped[int] = mapped_column(default=1)
    cause: Mapped[Cause] = mapped_column(default=Cause.CLOCK)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Whoever pressed “Run now”."""
    status: Mapped[RunStatus] = mapped_column(default=RunStatus.WAITING, index=True)
    sentence: Mapped[str] = mapped_column(default="")
    """Why it ended as it did, in plain words."""
    started_at: Mapped[datetime.datetime | None]
    """None while it is not known that the container runs."""
    ended_at: Mapped[datetime.datetime | None]
    heartbeat_at: Mapped[datetime.datetime | None]
    lease_token: Mapped[str | None]
    """Which runner looks after it; a runner that finds another one's looks for the container."""
    exit_code: Mapped[int | None]

    environment: Mapped[Environment] = relationship()
    actor: Mapped[User | None] = relationship()

    @property
    def seconds(self) -> float | None:
        """How long it ran, or None while it has not ended, and for one that never began."""
        if self.started_at and self.ended_at:
            return (self.ended_at - self.started_at).total_seconds()
        return None


class CronClock(Numbered, Base):
    """One row: up to which moment all that was due is in rows."""

    __tablename__ = "cron_clock"

    looked_until: Mapped[datetime.datetime]
