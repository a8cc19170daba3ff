"""Backups, what is in them, and restorations."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.adapters.services import Content, ServiceKind
from app.environments.models import Environment
from app.extensions import Base, Numbered, Outside
from app.keyrings import Encrypted
from app.seals import NEEDS_KEY
from app.services.models import ServiceInstance, ServiceServer


class BackupOrigin(StrEnum):
    """Why a backup was taken; each has its own retention (L6225–6238)."""

    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"
    SAFETY = "safety"
    """Before a restore overwrites something."""
    COPY = "copy"
    """On its way from one instance to another; removed when it has arrived."""
    BROUGHT = "brought"
    """Brought by a person (`Upload`), to be restored: no state that the environment ever had."""


class BackupTier(StrEnum):
    """Of scheduled ones: the oldest daily becomes weekly, the oldest weekly monthly."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class WorkStatus(StrEnum):
    """Where a backup, a part of it or a restoration stands; the last two are final."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (WorkStatus.SUCCEEDED, WorkStatus.FAILED)


class Leased:
    """Work that a worker does under a lease: whoever holds the token may write, and a heartbeat
    that stops means that the worker is lost (`app.backups.leases`)."""

    status: Mapped[WorkStatus] = mapped_column(default=WorkStatus.WAITING, index=True)
    sentence: Mapped[str] = mapped_column(default="")
    """Why it failed, in plain words."""
    started_at: Mapped[datetime.datetime | None]
    ended_at: Mapped[datetime.datetime | None]
    heartbeat_at: Mapped[datetime.datetime | None]
    lease_token: Mapped[str | None]


class Backup(Numbered, Outside, Leased, Base):
    """One state of an environment's data: one part per service instance."""

    __tablename__ = "backups"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    origin: Mapped[BackupOrigin]
    tier: Mapped[BackupTier | None]
    note: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime.datetime | None]
    """When whoever asked for it wants it deleted; None: kept as others of its origin are."""
    proved_at: Mapped[datetime.datetime | None]
    """When it was last restored into something throw-away and found whole (N4)."""
    proof_failed_at: Mapped[datetime.datetime | None]
    proof_sentence: Mapped[str] = mapped_column(default="")
    deletion_began_at: Mapped[datetime.datetime | None]
    """From here on its files go: it is listed and restored no more. The row goes last."""

    environment: Mapped[Environment] = relationship()
    actor: Mapped[User | None] = relationship()
    parts: Mapped[list[BackupPart]] = relationship(
        back_populates="backup", cascade="all, delete-orphan", order_by="BackupPart.id"
    )


class BackupPart(Numbered, Outside, Base):
    """The data of one service instance in a backup, one encrypted file in the store."""

    __tablename__ = "backup_parts"

    backup_id: Mapped[int] = mapped_column(ForeignKey("backups.id", ondelete="CASCADE"), index=True)
    instance_id: Mapped[int | None] = mapped_column(
        ForeignKey("service_instances.id", ondelete="SET NULL")
    )
    content: Mapped[Content]
    kind: Mapped[ServiceKind]
    version: Mapped[str]
    """Of the server it was taken from."""
    prefix: Mapped[str]
    status: Mapped[WorkStatus] = mapped_column(default=WorkStatus.WAITING)
    sentence: Mapped[str] = mapped_column(default="")
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the encrypted file, as published."""
    plain_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(default="")
    """Of the encrypted file."""
    recipient: Mapped[str] = mapped_column(default="", info={NEEDS_KEY: True})
    """Whom the file is encrypted for, as `str(present_seal().recipient())` when it was written:
    that key is kept until no row names it. Empty while there is no file."""
    plain_sha256: Mapped[str] = mapped_column(default="")
    contents: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`counts` and `digest` as `app.adapters.services.Contents` has them."""

    backup: Mapped[Backup] = relationship(back_populates="parts")
    instance: Mapped[ServiceInstance | None] = relationship()


class Restoration(Numbered, Outside, Leased, Base):
    """One part of a backup, brought into an instance."""

    __tablename__ = "restorations"
    __table_args__ = (
        Index(
            "uq_restorations_one_active",
            "instance_id",
            unique=True,
            sqlite_where=text("status IN ('waiting', 'running')"),
            postgresql_where=text("status IN ('waiting', 'running')"),
        ),
    )

    part_id: Mapped[int | None] = mapped_column(
        ForeignKey("backup_parts.id", ondelete="SET NULL"), index=True
    )
    """None: that backup is deleted since."""
    source: Mapped[str] = mapped_column(default="")
    """What was restored, for people: it stays when the backup is gone."""
    instance_id: Mapped[int] = mapped_column(
        ForeignKey("service_instances.id", ondelete="CASCADE"), index=True
    )
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    safety_backup_id: Mapped[int | None] = mapped_column(
        ForeignKey("backups.id", ondelete="SET NULL")
    )
    """Of what was there before."""
    needs_safety: Mapped[bool] = mapped_column(default=True)
    """Whether what is there is backed up first; not for a copy into a new instance."""
    touched_at: Mapped[datetime.datetime | None]
    """When it began to overwrite; before that the data is as it was."""

    part: Mapped[BackupPart | None] = relationship()
    instance: Mapped[ServiceInstance] = relationship()
    actor: Mapped[User | None] = relationship()
    safety_backup: Mapped[Backup | None] = relationship()


class BackupSchedule(Numbered, Base):
    """When an environment is backed up by itself, and how long what is kept."""

    __tablename__ = "backup_schedules"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )
    is_on: Mapped[bool] = mapped_column(default=True)
    hour: Mapped[int] = mapped_column(default=3)
    """Of the day, in `zone`, after which the daily backup is taken."""
    zone: Mapped[str] = mapped_column(default="UTC")
    daily: Mapped[int] = mapped_column(default=7)
    weekly: Mapped[int] = mapped_column(default=4)
    monthly: Mapped[int] = mapped_column(default=12)
    taken_for: Mapped[datetime.datetime | None]
    """The moment for which the last scheduled backup was begun."""
    absence_told_at: Mapped[datetime.datetime | None]
    """When people were last told that there is no fresh backup; None: there is one."""

    environment: Mapped[Environment] = relationship()


class Download(Numbered, Outside, Leased, Base):
    """A part made ready to be downloaded: decrypted, for a day, behind a link that was mailed
    (F4). The file is `downloads/<uuid>` in the data directory."""

    __tablename__ = "backup_downloads"

    part_id: Mapped[int] = mapped_column(
        ForeignKey("backup_parts.id", ondelete="CASCADE"), index=True
    )
    actor_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    """SHA-256 of what the link ends with; None until it is ready, and for a program."""
    is_for_program: Mapped[bool] = mapped_column(default=False)
    """Asked for over the API: nothing is mailed, and the file is as people have it at home."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_at: Mapped[datetime.datetime | None]

    part: Mapped[BackupPart] = relationship()
    actor: Mapped[User] = relationship()


class Upload(Numbered, Outside, Base):
    """What a person brings for a part, from the moment it is asked for until a worker has made a
    backup of it. The file is `uploads/<uuid>` in the data directory, encrypted."""

    __tablename__ = "backup_uploads"

    part_id: Mapped[int] = mapped_column(
        ForeignKey("backup_parts.id", ondelete="CASCADE"), unique=True
    )
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of what its address ends with."""
    recipient: Mapped[str] = mapped_column(default="", info={NEEDS_KEY: True})
    """Whom the file is encrypted for, like that of a part."""
    finished_at: Mapped[datetime.datetime | None]
    """When the person said that all of it is there."""
    expires_at: Mapped[datetime.datetime]
    """Until when they may send it."""

    part: Mapped[BackupPart] = relationship()


class DrillInstance(Numbered, Base):
    """A throw-away instance in which a part is proved (N4). The row comes before the instance and
    goes after it, so that a drill that was killed leaves nothing nobody knows of."""

    __tablename__ = "drill_instances"

    part_id: Mapped[int | None] = mapped_column(
        ForeignKey("backup_parts.id", ondelete="SET NULL"), unique=True
    )
    server_id: Mapped[int] = mapped_column(ForeignKey("service_servers.id"), index=True)
    kind: Mapped[ServiceKind]
    key: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str] = mapped_column(Encrypted)
    lease_token: Mapped[str | None]
    heartbeat_at: Mapped[datetime.datetime | None]

    part: Mapped[BackupPart | None] = relationship()
    server: Mapped[ServiceServer] = relationship()
