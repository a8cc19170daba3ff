"""Writing audit lines."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Protocol

import click
from flask import g, has_app_context, has_request_context, request

from app.audit.chain import audit_key, chain_up
from app.audit.models import AuditLine
from app.extensions import now
from app.transactions import before_commit

PLATFORM = "Moonbase"
FINGERPRINT = 12
"""Hexadecimal digits: enough to see whether two secrets are the same."""

State = Mapping[str, object] | str | int | bool | None
"""How something was or is: one value, or several by name."""


class Actor(Protocol):
    """Whoever acts: a person with a row, of which the line keeps number, name and address: of a
    name there may be many, and it can be changed for the time of an act."""

    id: int
    name: str
    email: str


def record(
    action: str,
    subject: str,
    *,
    actor: Actor | None,
    organisation_id: int | None,
    before: State = None,
    after: State = None,
    **details: object,
) -> None:
    """Add one line, e.g. `record("application.rename", "demo", actor=…, before="A", after="B")`.

    `details` are plain facts that JSON can hold; a secret never belongs here, only its
    `fingerprint`. Without an actor the platform acted. The line is written with the commit of the
    unit of work, behind all lines before it.
    """
    facts = {**details, "via": _way()}
    facts |= {"by": actor.email} if actor else {}
    facts |= {"before": before} if before is not None else {}
    facts |= {"after": after} if after is not None else {}
    line = AuditLine(
        action=action,
        subject=subject,
        actor_id=actor.id if actor else None,
        actor_name=actor.name if actor else PLATFORM,
        organisation_id=organisation_id,
        details=json.loads(json.dumps(facts)),  # as it is read back: lists, no tuples
        address=request.remote_addr or "" if has_request_context() else "",
        created_at=now(),
    )
    before_commit(chain_up, line)


def acting_through(way: str) -> None:
    """Say by what the person of this request or connection acts, e.g. “token Laptop”: it stands
    in the lines that follow."""
    g.audit_way = way


def _way() -> str:
    if has_app_context() and "audit_way" in g:
        return str(g.audit_way)
    if has_request_context():
        return "page"
    return "command line" if click.get_current_context(silent=True) else "platform"


def fingerprint(secret: str) -> str:
    """A few digits that tell one secret value from another, and nothing of what it is."""
    own_key = hmac.new(audit_key(), b"fingerprints", hashlib.sha256).digest()
    return hmac.new(own_key, secret.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT]
