"""The public status page, and the banner that every page of the panel has during an incident."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.platform_status import queries
from app.platform_status.models import Incident
from app.web.access import public

blueprint = Blueprint("platform_status", __name__)


@blueprint.app_context_processor
def offer_incidents() -> dict[str, Any]:
    """For every page: `open_incidents()`."""
    return {"open_incidents": queries.list_open_incidents}


@blueprint.get("/status/")
@public
def status() -> ResponseReturnValue:
    components = queries.list_components()
    return render_template(
        "platform_status/status.html",
        components=components,
        overall=queries.overall(components),
        current=queries.list_open_incidents(),
        past=queries.list_recent_incidents(),
        days=queries.list_days(),
    )


@blueprint.get("/status.json")
@public
def status_json() -> ResponseReturnValue:
    """The same for machines."""
    components = queries.list_components()
    return {
        "status": queries.overall(components).value,
        "components": [
            {
                "name": row.key,
                "status": row.state.value,
                "seen_at": row.seen_at.isoformat() if row.seen_at else None,
            }
            for row in components
        ],
        "incidents": [_as_json(row) for row in queries.list_open_incidents()],
    }


def _as_json(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.uuid,
        "title": incident.title,
        "impact": incident.impact.value,
        "opened_at": incident.created_at.isoformat(),
        "updates": [
            {"at": update.created_at.isoformat(), "text": update.text}
            for update in incident.updates
        ],
    }
