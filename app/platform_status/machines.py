"""What the operator's page shows. From rows only: the web process reaches no engine."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, or_, select, text

from app.accounts.models import User
from app.config import Settings
from app.extensions import db, now
from app.mails.models import Mail
from app.platform_status.models import Heartbeat
from app.platform_status.queries import State, list_heartbeats, state_of
from app.regions.models import Region
from app.routes.models import Feed, IngressNode
from app.web.searching import split_words


@dataclass(frozen=True)
class Engine:
    """One region's engine, as the observer last saw it; `beat` None: never."""

    region: Region
    beat: Heartbeat | None
    state: State


@dataclass(frozen=True)
class Node:
    """One ingress node, and whether it serves the newest routes."""

    row: IngressNode
    state: State
    is_current: bool


@dataclass(frozen=True)
class Database:
    kind: str
    version: str
    bytes: int


@dataclass(frozen=True)
class Mails:
    """Those that wait, those given up within 30 days, and since when the first one waits."""

    waiting: int
    failed: int
    oldest_at: datetime.datetime | None
    last_failure: str


@dataclass(frozen=True)
class Look:
    """Everything on the page."""

    engines: Sequence[Engine]
    nodes: Sequence[Node]
    feed_version: int
    queues: Heartbeat | None
    disk: Heartbeat | None
    free: int
    total: int
    mails: Mails
    database: Database
    beats: Sequence[tuple[Heartbeat, State]]

    @property
    def folders(self) -> dict[str, Any]:
        return dict(self.disk.details.get("folders", {})) if self.disk else {}


def look(settings: Settings) -> Look:
    """A few short queries, whatever the installation holds."""
    moment = now()
    beats = list_heartbeats()
    by_component = {beat.component: beat for beat in beats}
    engines = {beat.node: beat for beat in beats if beat.component == "engine"}
    feed = db.session.scalar(select(Feed))
    disk = shutil.disk_usage(settings.data_dir)
    return Look(
        engines=[
            Engine(region, beat, state_of(beat.seen_at if beat else None, moment))
            for region in db.session.scalars(select(Region).order_by(Region.id))
            for beat in [engines.get(region.slug)]
        ],
        nodes=[
            Node(row, state_of(row.seen_at, moment), _is_current(row, feed))
            for row in db.session.scalars(select(IngressNode).order_by(IngressNode.name))
        ],
        feed_version=feed.version if feed else 0,
        queues=by_component.get("queue"),
        disk=by_component.get("disk"),
        free=disk.free,
        total=disk.total,
        mails=_mails(moment),
        database=_database(settings),
        beats=[
            (beat, state_of(beat.seen_at, moment)) for beat in beats if beat.component != "disk"
        ],
    )


def _is_current(node: IngressNode, feed: Feed | None) -> bool:
    if feed is None:
        return False
    return (node.loaded_version, node.loaded_epoch) == (feed.version, feed.epoch)


def _mails(moment: datetime.datetime) -> Mails:
    waiting, oldest = db.session.execute(
        select(func.count(), func.min(Mail.created_at)).where(Mail.due_at.is_not(None))
    ).one()
    since = moment - datetime.timedelta(days=30)
    given_up = (Mail.due_at.is_(None), Mail.delivered_at.is_(None), Mail.created_at >= since)
    failed = db.session.scalar(select(func.count()).where(*given_up)) or 0
    worded = select(Mail.failure).where(Mail.failure != "", Mail.delivered_at.is_(None))
    last = db.session.scalar(worded.order_by(Mail.id.desc()).limit(1))
    return Mails(waiting, failed, oldest, last or "")


def _database(settings: Settings) -> Database:
    if settings.uses_sqlite:
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        files = [path, path.with_name(f"{path.name}-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        version = db.session.scalar(text("SELECT sqlite_version()"))
        return Database("SQLite", str(version), size)
    size = db.session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    version = str(db.session.scalar(text("SHOW server_version")))
    return Database("PostgreSQL", version.split()[0], int(size))


def list_people(words: str) -> Select[User]:
    """People by name or address, operators first, as a query to page through."""
    query = select(User).order_by(User.is_operator.desc(), User.email)
    for word in split_words(words):
        in_name = User.name.icontains(word, autoescape=True)
        query = query.where(or_(in_name, User.email.icontains(word, autoescape=True)))
    return query
