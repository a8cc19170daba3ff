"""The feed for ingress agents, on the internal listener only."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from app.adapters.ingress import traefik
from app.errors import Invalid, NotAllowed
from app.extensions import db
from app.installation import installation
from app.routes import operations, queries
from app.routes.models import IngressNode
from app.transactions import unit_of_work
from app.web.access import public

blueprint = Blueprint("routes", __name__)

HOLD_SECONDS = 2.0
"""Short, because the web process waits for this answer when it is stopped."""


@blueprint.get("/feed")
@public
def feed() -> ResponseReturnValue:
    """The routes, as soon as they are newer than what the node has; 204 after two seconds."""
    _load_node()
    after = request.args.get("after", 0, type=int)
    epoch = request.args.get("epoch", "")
    db.session.rollback()  # end the reading, so that the next one sees what is new
    if not queries.wait_for_feed(epoch, after, HOLD_SECONDS):
        return "", 204
    present = queries.load_feed()
    return _document(present.version, present.epoch)


@blueprint.post("/feed/loaded")
@public
def loaded() -> ResponseReturnValue:
    """A node says which version its public entry point serves."""
    node = _load_node()
    report = request.get_json()
    if not isinstance(report, dict) or not isinstance(report.get("version"), int):
        raise Invalid("A report has node, epoch and version.")
    with unit_of_work():
        operations.report_loaded(node, report["version"], str(report.get("epoch", "")))
    return "", 204


def _load_node() -> IngressNode:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    node = queries.find_node_by_token(token) if scheme == "Bearer" else None
    if node is None:
        raise NotAllowed("This is not the token of an ingress node.")
    return node


def _document(version: int, epoch: str) -> ResponseReturnValue:
    settings = installation().settings
    port = urlsplit(settings.site_url("site.invalid")).port or 80
    document = traefik.render(
        queries.list_ingress_routes(port),
        version,
        probe_host=f"{epoch}.ingress.invalid",
        media=queries.list_ingress_media(settings.platform_domain),
    )
    return {"epoch": epoch, "version": version, "document": document}
