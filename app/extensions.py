"""The database, bound to each app by its factory, and the column types.

What only pages need is in `app.web.extensions`: workers and the scheduler load none of it.
"""

from __future__ import annotations

import datetime
import enum
import logging
import sqlite3
import uuid
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Engine, Enum, ForeignKey, MetaData, Table, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, registry
from sqlalchemy.types import TypeDecorator

logger = logging.getLogger(__name__)

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
BUSY_SECONDS = 15
"""How long a writer waits for SQLite's lock: longer than the 5 s a locked database must survive."""

ENUM_LENGTH = 32
"""Enumerations are kept as their values in plain text, so that a new one needs no migration."""


def now() -> datetime.datetime:
    """The present moment in UTC."""
    return datetime.datetime.now(datetime.UTC)


class UTCDateTime(TypeDecorator[datetime.datetime]):
    """A moment in UTC. Refuses naive times, whose zone would be anybody's guess."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime.datetime | None, dialect: Any
    ) -> datetime.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        moment = value.astimezone(datetime.UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self, value: datetime.datetime | None, dialect: Any
    ) -> datetime.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=datetime.UTC)
        return value.astimezone(datetime.UTC)


class Base(DeclarativeBase):
    """All tables: integer key inside, `uuid` outside where a class mixes in `Outside`."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            datetime.datetime: UTCDateTime,
            enum.StrEnum: Enum(
                enum.StrEnum, values_callable=list, native_enum=False, length=ENUM_LENGTH
            ),
        },
    )


class Numbered:
    """An integer key and the moment the row was made."""

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime.datetime] = mapped_column(default=now)


class Outside:
    """A name that may be shown to the world: guessing the next one is hopeless."""

    uuid: Mapped[str] = mapped_column(unique=True, default=lambda: str(uuid.uuid4()))


class Trashable:
    """Can lie in the trash for a while: out of sight, its names still taken (checklist Part 2)."""

    # No index: nearly all are NULL, and a planner that walks it reads everything, for each row.
    trashed_at: Mapped[datetime.datetime | None]

    @declared_attr
    def trashed_by_id(cls) -> Mapped[int | None]:  # noqa: N805
        return mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


db = SQLAlchemy(model_class=Base)


def rehearse() -> None:
    """Look for a row of each table, for a process whose children each do one job: they inherit the
    statements, and how rows become objects, ready-made. It takes 0.1 s of each job's time to find
    them out, and 10 MB (measured). Without a database nothing is rehearsed."""
    try:
        for mapper in Base.registry.mappers:
            db.session.get(mapper.class_, 0)
    except SQLAlchemyError as error:
        logger.warning("nothing is rehearsed, the database answers: %s", type(error).__name__)
    finally:
        db.session.remove()
        db.engine.dispose()  # children must not inherit a connection


@event.listens_for(Table, "after_parent_attach")
def _give_numbers_once(table: Table, parent: object) -> None:
    """SQLite would give the number of a row that is gone to the next one, and whoever still works
    on the first would take the second for it. Holds for tables of migrations, too."""
    table.dialect_options["sqlite"]["autoincrement"] = True


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, record: Any) -> None:
    """WAL, foreign keys and a patient lock; leaves BEGIN to `_begin` (measured: Part 2 §3)."""
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """A writer takes the lock at once: a reader that upgrades later fails instead of waiting."""
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
