"""How the platform is: its components, present incidents, and the last 90 days."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import selectinload

from app.extensions import db, now
from app.mails.models import Mail
from app.platform_status.models import Heartbeat, Impact, Incident
from app.routes.models import IngressNode

LATE_SECONDS = 45
"""Four reports missed: a busy machine is forgiven one or two."""
DOWN_SECONDS = 180
MAIL_LATE_SECONDS = 15 * 60
"""The first three attempts at a mail lie within 11 minutes (`app.mails.operations.PATIENCE`)."""
HISTORY_DAYS = 90


class State(StrEnum):
    """How a component stands."""

    UP = "up"
    LATE = "late"
    DOWN = "down"


ORDER = list(State)
NAMES = {
    "panel": _l("Panel"),
    "deployments": _l("Deployments"),
    "scheduler": _l("Scheduler"),
    "logs": _l("Log collection"),
    "cron": _l("Cron jobs"),
    "git": _l("Git over SSH"),
    "addons": _l("Addons"),
    "ingress": _l("Sites (ingress)"),
    "engine": _l("Container engine"),
    "mail": _l("Mail"),
}
"""Components in plain words, in the order of the page."""


@dataclass(frozen=True)
class Component:
    """One part of the platform. `seen_at` is its newest sign of life, if it gives any."""

    key: str
    state: State
    seen_at: datetime.datetime | None = None

    @property
    def name(self) -> object:
        return NAMES[self.key]


@dataclass(frozen=True)
class Day:
    """One day of the history: the worst of its incidents, if there were any."""

    date: datetime.date
    impact: Impact | None
    count: int


def list_components() -> list[Component]:
    """All components, from rows only: neither the queue nor the engine is asked."""
    moment = now()
    beats = {(row.component, row.node): row for row in list_heartbeats()}
    seen: dict[str, datetime.datetime] = {}
    for beat in beats.values():
        seen[beat.component] = max(beat.seen_at, seen.get(beat.component, beat.seen_at))
    nodes = db.session.scalars(select(IngressNode.seen_at)).all()
    engine = [beat for beat in beats.values() if beat.component == "engine"]
    return [
        Component("panel", State.UP, moment),
        _component("deployments", [seen.get("worker"), seen.get("queue")], moment),
        _component("scheduler", [seen.get("scheduler")], moment),
        _component("logs", [seen.get("observer")], moment),
        _component("cron", [seen.get("cron")], moment),
        _component("git", [seen.get("ssh")], moment),
        _component("addons", [seen.get("asker")], moment),
        _component("ingress", nodes or [None], moment),
        _component("engine", [beat.seen_at for beat in engine] or [None], moment),
        _mail(moment),
    ]


def state_of(seen_at: datetime.datetime | None, moment: datetime.datetime) -> State:
    """By the age of the newest report."""
    if seen_at is None:
        return State.DOWN
    age = (moment - seen_at).total_seconds()
    return State.UP if age < LATE_SECONDS else State.LATE if age < DOWN_SECONDS else State.DOWN


def _component(
    key: str, seen: Iterable[datetime.datetime | None], moment: datetime.datetime
) -> Component:
    """As bad as the worst of its parts."""
    parts = list(seen)
    worst = max((state_of(part, moment) for part in parts), key=ORDER.index)
    oldest = min((part for part in parts if part is not None), default=None)
    return Component(key, worst, oldest)


def _mail(moment: datetime.datetime) -> Component:
    since = moment - datetime.timedelta(seconds=MAIL_LATE_SECONDS)
    stuck = select(func.count()).where(Mail.due_at.is_not(None), Mail.created_at < since)
    return Component("mail", State.LATE if db.session.scalar(stuck) else State.UP)


def overall(components: Sequence[Component]) -> State:
    """The worst of all."""
    return max((row.state for row in components), key=ORDER.index)


def list_heartbeats() -> Sequence[Heartbeat]:
    rows = select(Heartbeat).order_by(Heartbeat.component, Heartbeat.node)
    return db.session.scalars(rows).all()


def find_heartbeat(component: str) -> Heartbeat | None:
    """Its newest one, of whichever node."""
    rows = select(Heartbeat).where(Heartbeat.component == component)
    return db.session.scalars(rows.order_by(Heartbeat.seen_at.desc())).first()


def list_open_incidents() -> Sequence[Incident]:
    """The worst first."""
    wanted = select(Incident).where(Incident.resolved_at.is_(None))
    rows = db.session.scalars(wanted.options(selectinload(Incident.updates))).all()
    return sorted(rows, key=lambda row: (-list(Impact).index(row.impact), -row.id))


def list_recent_incidents(days: int = HISTORY_DAYS) -> Sequence[Incident]:
    """Resolved ones that lasted into the last `days`, newest first."""
    since = now() - datetime.timedelta(days=days)
    wanted = select(Incident).where(Incident.resolved_at >= since)
    wanted = wanted.options(selectinload(Incident.updates)).order_by(Incident.id.desc())
    return db.session.scalars(wanted.limit(200)).all()


def list_incidents() -> Select[Incident]:
    """All there ever were, open ones first, as a query to page through."""
    return (
        select(Incident)
        .options(selectinload(Incident.updates))
        .order_by(Incident.resolved_at.is_not(None), Incident.id.desc())
    )


def find_incident(uuid: str) -> Incident | None:
    return db.session.scalar(select(Incident).where(Incident.uuid == uuid))


def list_days(days: int = HISTORY_DAYS) -> list[Day]:
    """The last `days` days in UTC, today last."""
    today = now().date()
    since = now() - datetime.timedelta(days=days)
    lasting = or_(Incident.resolved_at.is_(None), Incident.resolved_at >= since)
    spans = [
        (opened.date(), closed.date() if closed else today, impact)
        for opened, closed, impact in db.session.execute(
            select(Incident.created_at, Incident.resolved_at, Incident.impact).where(lasting)
        )
    ]
    history = []
    for number in range(days - 1, -1, -1):
        date = today - datetime.timedelta(days=number)
        found = [impact for first, last, impact in spans if first <= date <= last]
        worst = max(found, key=list(Impact).index, default=None)
        history.append(Day(date, worst, len(found)))
    return history
