"""A route, the feed all routes make up, and the ingress nodes that load it."""

from __future__ import annotations

import datetime
import uuid

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Numbered

Endpoint = tuple[str, int]
"""Address and port of one container."""


class Route(Numbered, Base):
    """Where an environment's requests go. Empty `upstreams`: the ingress says it is not running."""

    __tablename__ = "routes"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environments.id", ondelete="CASCADE"), unique=True
    )
    upstreams: Mapped[list[list[str | int]]] = mapped_column(JSON, default=list)
    hosts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Those of the release that runs: a domain added since waits for the next deployment."""
    redirects: Mapped[list[list[str | int]]] = mapped_column(JSON, default=list)
    """Host, target host and status."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """`upstreams`, typed."""
        return tuple((str(address), int(port)) for address, port in self.upstreams)


class Feed(Numbered, Base):
    """One row: the version of all routes together. A restored database gets a new `epoch`, so
    that ingress nodes do not take its smaller version for an old one."""

    __tablename__ = "feeds"

    version: Mapped[int] = mapped_column(default=1)
    epoch: Mapped[str] = mapped_column(default=lambda: uuid.uuid4().hex)


class IngressNode(Numbered, Base):
    """A machine that routes. `loaded_version` is what its public entry point was seen to serve."""

    __tablename__ = "ingress_nodes"

    name: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    loaded_version: Mapped[int] = mapped_column(default=0)
    loaded_epoch: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime.datetime | None]
