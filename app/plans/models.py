"""A plan, and which application has which."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base, Numbered, Outside


class Plan(Numbered, Outside, Base):
    """Limits, per container where not said otherwise."""

    __tablename__ = "plans"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    memory_mb: Mapped[int] = mapped_column(default=512)
    """Soft: the kernel's limit is 200 % of it, a notice comes from 100 % (L7107–7110)."""
    cpus: Mapped[float] = mapped_column(default=1.0)
    pids: Mapped[int] = mapped_column(default=256)
    live_containers: Mapped[int] = mapped_column(default=4)
    worker_containers: Mapped[int] = mapped_column(default=8)
    """Of all processes beside the web server together, in one environment."""
    cron_seconds: Mapped[int] = mapped_column(default=3600)
    """The longest time limit of a cron job; 0: the plan has none (L7381)."""
    build_memory_mb: Mapped[int] = mapped_column(default=2048)
    build_cpus: Mapped[float] = mapped_column(default=2.0)


class Subscription(Numbered, Base):
    """The plan of one application."""

    __tablename__ = "subscriptions"

    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), unique=True
    )
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))

    plan: Mapped[Plan] = relationship()
