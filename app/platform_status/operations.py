"""Noting that a process works, and telling people of incidents."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.audit.operations import Actor, record
from app.errors import Invalid, PanelError
from app.extensions import db, now
from app.names import clean_name
from app.platform_status.models import Heartbeat, Impact, Incident, IncidentUpdate
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

REPORT_SECONDS = 10.0
TEXT_LENGTH = 5000
COMMAND_LINE = "An operator"
"""Who speaks in updates that were written from a shell."""


def report_alive(
    component: str, node: str = "local", details: Mapping[str, object] | None = None
) -> None:
    """Note that the component works right now, and what it has to say to operators.

    Belongs into a unit of work.
    """
    wanted = select(Heartbeat).where(Heartbeat.component == component, Heartbeat.node == node)
    beat = db.session.scalar(wanted)
    if beat is None:
        beat = Heartbeat(component=component, node=node, seen_at=now(), details={})
        db.session.add(beat)
    beat.seen_at = now()
    if details is not None:
        beat.details = dict(details)


class Reporter:
    """Notes the life of one process, at most each `REPORT_SECONDS` however often it is called.

    A database that does not answer, or is locked, is no error here: silence is the report.
    """

    def __init__(self, component: str, node: str = "local") -> None:
        self._component, self._node = component, node
        self._last = float("-inf")

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._last >= REPORT_SECONDS

    def __call__(self, details: Mapping[str, object] | None = None) -> bool:
        """Inside an app context, outside of any unit of work. Returns whether it was due."""
        if not self.is_due:
            return False
        self._last = time.monotonic()
        try:
            with unit_of_work():
                report_alive(self._component, self._node, details)
        except (SQLAlchemyError, PanelError):
            logger.warning("the database does not answer; %s reports later", self._component)
        finally:
            db.session.remove()
        return True


def open_incident(title: str, impact: Impact, text: str, actor: Actor | None) -> Incident:
    """Tell everybody that something is wrong; lasts until it is resolved."""
    incident = Incident(title=clean_name(title, "title"), impact=impact)
    db.session.add(incident)
    _say(incident, text, actor)
    db.session.flush()
    record(
        "incident.open",
        incident.title,
        actor=actor,
        organisation_id=None,
        impact=impact.value,
        incident=incident.uuid,
    )
    return incident


def update_incident(
    incident: Incident, text: str, actor: Actor | None, impact: Impact | None = None
) -> None:
    """Say how it goes on; `impact` changes when it is given."""
    _require_open(incident)
    before = incident.impact
    incident.impact = impact or before
    _say(incident, text, actor)
    record(
        "incident.update",
        incident.title,
        actor=actor,
        organisation_id=None,
        incident=incident.uuid,
        before=before.value,
        after=incident.impact.value,
    )


def resolve_incident(incident: Incident, text: str, actor: Actor | None) -> None:
    """Say that it is over."""
    _require_open(incident)
    _say(incident, text or "Resolved.", actor)
    incident.resolved_at = now()
    record(
        "incident.resolve",
        incident.title,
        actor=actor,
        organisation_id=None,
        incident=incident.uuid,
    )


def _require_open(incident: Incident) -> None:
    if incident.resolved_at is not None:
        raise Invalid("This incident is resolved already. Open a new one if it came back.")


def _say(incident: Incident, text: str, actor: Actor | None) -> None:
    words = text.strip().replace("\x00", "")
    if not 0 < len(words) <= TEXT_LENGTH:
        raise Invalid(f"Say in 1 to {TEXT_LENGTH} characters what people should know.", "text")
    name = actor.name if actor else COMMAND_LINE
    incident.updates.insert(0, IncidentUpdate(text=words, actor_name=name))
