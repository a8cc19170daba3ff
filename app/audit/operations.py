"""Writing audit lines."""

from __future__ import annotations

from typing import Protocol

from flask import has_request_context, request

from app.audit.models import AuditLine
from app.extensions import db


class Actor(Protocol):
    """Whoever acts: a person with a row, of which the line keeps number and name."""

    id: int
    name: str


def record(
    action: str, subject: str, *, actor: Actor | None, organisation_id: int | None, **details: str
) -> None:
    """Add one line, e.g. `record("application.create", "demo", actor=…, …)`.

    `details` are plain facts; a secret never belongs here. Without an actor the platform acted.
    """
    line = AuditLine(
        action=action,
        subject=subject,
        actor_id=actor.id if actor else None,
        actor_name=actor.name if actor else "Moonbase",
        organisation_id=organisation_id,
        details=details,
        address=request.remote_addr or "" if has_request_context() else "",
    )
    db.session.add(line)
