"""What runs besides the web server: release commands and worker processes, which belong to the
application, and cron jobs, which belong to an environment."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered, Outside


class ReleaseCommand(Numbered, Base):
    """A command run at each deployment, after the build, in the order of adding (L7251)."""

    __tablename__ = "release_commands"

    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True
    )
    label: Mapped[str]
    command: Mapped[str]


class WorkerProcess(Numbered, Outside, Base):
    """A process that runs beside the web server, from the same image and release (D7)."""

    __tablename__ = "worker_processes"
    __table_args__ = (UniqueConstraint("application_id", "name"),)

    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    command: Mapped[str]
    count: Mapped[int] = mapped_column(default=1)
    """How many of it run in each environment."""


class Overlap(StrEnum):
    """What happens when a cron job is due while its last run still goes on."""

    SKIP = "skip"
    WAIT = "wait"
    RUN = "run"


class CronJob(Numbered, Outside, Base):
    """A command that runs by the clock, in a fresh container of the current release (D6). What is
    written here counts from the next deployment on."""

    __tablename__ = "cron_jobs"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    label: Mapped[str]
    command: Mapped[str]
    """Words as a shell would split them; no shell runs them (L7396)."""
    schedule: Mapped[str]
    """Cron form, five fields."""
    zone: Mapped[str] = mapped_column(default="UTC")
    timeout_seconds: Mapped[int] = mapped_column(default=10 * 60)  # "Cron job timeouts"
    overlap: Mapped[Overlap] = mapped_column(default=Overlap.SKIP)
    repeats_lost: Mapped[bool] = mapped_column(default=False)
    """Whether a run that was missed, or lost in a crash, may be run again."""
    is_paused: Mapped[bool] = mapped_column(default=False)
