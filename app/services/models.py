"""Servers, and the instances that environments have on them."""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.adapters.services import ServiceKind
from app.environments.models import Environment
from app.extensions import Base, Numbered, Outside, Trashable
from app.keyrings import Encrypted
from app.regions.models import Region
from app.seals import Sealed, SealedText

DEFAULT = "DEFAULT"
"""The prefix of a first instance; `DATABASE_URL` and its like mirror this one only (L5925)."""

TITLES = {
    ServiceKind.POSTGRESQL: "PostgreSQL",
    ServiceKind.MYSQL: "MySQL",
    ServiceKind.OBJECT_STORAGE: "Object storage",
    ServiceKind.RABBITMQ: "RabbitMQ",
    ServiceKind.REDIS: "Redis",
    ServiceKind.SEARCH: "Search",
}
"""What people call each kind."""


class ServiceState(StrEnum):
    """Where an instance stands (checklist Part 2, "service states"). One in the trash keeps the
    state it had; what is removed for good has no row."""

    NEW = "new"
    """Added; the next deployment provisions and attaches it."""
    PROVISIONING = "provisioning"
    PENDING_ATTACHMENT = "pending_attachment"
    """It works; the next deployment tells the site of it."""
    ATTACHED = "attached"
    PENDING_DETACHMENT = "pending_detachment"
    """The site still uses it, until the next deployment."""
    DETACHED = "detached"
    """It works and keeps its data; the site is not told of it."""
    REMOVING = "removing"
    FAILED = "failed"
    """It could not be provisioned; `sentence` says why."""


class ServiceServer(Numbered, Outside, Base):
    """One server: embedded, which the panel starts when it is first needed, or an operator's."""

    __tablename__ = "service_servers"
    __table_args__ = (
        Index(
            "uq_service_servers_embedded",
            "region_id",
            "kind",
            "version",
            unique=True,
            sqlite_where=text("is_embedded"),
            postgresql_where=text("is_embedded"),
        ),
    )

    region_id: Mapped[int] = mapped_column(ForeignKey("regions.id"))
    kind: Mapped[ServiceKind]
    version: Mapped[str]
    name: Mapped[str]
    """For people, e.g. `PostgreSQL 15`."""
    is_embedded: Mapped[bool]
    is_on_offer: Mapped[bool] = mapped_column(default=True)
    """Whether new instances may be made on it; older ones stay."""
    is_lost: Mapped[bool] = mapped_column(default=False)
    """The operator says that it is gone for good: instances on it are deleted without asking it."""
    secret: Mapped[SealedText] = mapped_column(Sealed)
    """An embedded server's password, or the administrator's URL: only workers can read it."""

    region: Mapped[Region] = relationship()


class ServiceInstance(Numbered, Outside, Trashable, Base):
    """What one environment has of one kind. Several of a kind differ by their prefix."""

    __tablename__ = "service_instances"
    __table_args__ = (UniqueConstraint("environment_id", "kind", "prefix"),)

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )
    server_id: Mapped[int] = mapped_column(ForeignKey("service_servers.id"), index=True)
    kind: Mapped[ServiceKind]
    prefix: Mapped[str] = mapped_column(default=DEFAULT)
    state: Mapped[ServiceState] = mapped_column(default=ServiceState.NEW)
    sentence: Mapped[str] = mapped_column(default="")
    """Why it failed, in plain words."""
    key: Mapped[str] = mapped_column(default=lambda: "m" + secrets.token_hex(8)[:15], unique=True)
    """Names what it has on the server; random."""
    password: Mapped[str] = mapped_column(
        Encrypted, default=lambda: secrets.token_urlsafe(24), deferred=True
    )
    encrypted_facts: Mapped[str] = mapped_column(Encrypted, default="{}", deferred=True)
    """Decrypted, like the password, only for who asks: one that cannot be opened stops nobody who
    looks at the others."""
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`extensions`: names, for PostgreSQL."""
    addon: Mapped[str] = mapped_column(default="")
    """The package that asked for it; empty when a person added it."""
    provisioned_at: Mapped[datetime.datetime | None]
    lease_token: Mapped[str | None]
    """Whoever provisions or removes it at present; a worker that lost it notes nothing."""
    heartbeat_at: Mapped[datetime.datetime | None]
    used_bytes: Mapped[int | None] = mapped_column(BigInteger)
    used_connections: Mapped[int | None]
    used_objects: Mapped[int | None]
    measured_at: Mapped[datetime.datetime | None]

    original_id: Mapped[int | None] = mapped_column(
        ForeignKey("service_instances.id", ondelete="SET NULL"), index=True
    )
    """Of a shared one: the instance of another environment that it stands for. It has a prefix and
    a state of its own, and nothing on the server."""

    environment: Mapped[Environment] = relationship()
    server: Mapped[ServiceServer] = relationship()
    original: Mapped[ServiceInstance | None] = relationship(remote_side="ServiceInstance.id")

    @property
    def name(self) -> str:
        """For people: `PostgreSQL “DEFAULT”`."""
        return f"{TITLES[self.kind]} “{self.prefix}”"

    @property
    def source(self) -> ServiceInstance:
        """The row that tells what is on the server: the original's of a shared one."""
        return self.original or self

    @property
    def facts(self) -> Mapping[str, str]:
        """What provisioning made; empty before."""
        found: dict[str, str] = json.loads(self.source.encrypted_facts)
        return found

    @facts.setter
    def facts(self, facts: Mapping[str, str]) -> None:
        self.encrypted_facts = json.dumps(dict(facts))

    @property
    def is_functional(self) -> bool:
        """Whether it can be filled, backed up and restored into."""
        return self.provisioned_at is not None and self.state != ServiceState.REMOVING


class ServiceShare(Numbered, Outside, Base):
    """That the owner of an instance lets another environment use it. Its own people say whether it
    does: then it has a `ServiceInstance` with this one as `original`."""

    __tablename__ = "service_shares"
    __table_args__ = (UniqueConstraint("instance_id", "environment_id"),)

    instance_id: Mapped[int] = mapped_column(
        ForeignKey("service_instances.id", ondelete="CASCADE"), index=True
    )
    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), index=True
    )

    instance: Mapped[ServiceInstance] = relationship()
    environment: Mapped[Environment] = relationship()
