"""Reading routes: the document for ingress nodes, and who has loaded what."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

from sqlalchemy import select

from app.adapters import ingress
from app.domains.models import Domain
from app.environments.models import Environment
from app.extensions import db, now
from app.routes.models import Feed, IngressNode, Route


def load_feed() -> Feed:
    return db.session.scalars(select(Feed)).one()


def find_route(environment_id: int) -> Route | None:
    return db.session.scalar(select(Route).where(Route.environment_id == environment_id))


def list_ingress_routes() -> list[ingress.Route]:
    """All routes, as the ingress adapter takes them: two queries however many there are."""
    hosts: dict[int, list[str]] = {}
    for number, host in db.session.execute(select(Domain.environment_id, Domain.host)):
        hosts.setdefault(number, []).append(host)
    rows = db.session.execute(
        select(Route, Environment.uuid).join(Environment, Environment.id == Route.environment_id)
    )
    return [
        ingress.Route(
            name=uuid,
            hosts=tuple(hosts[route.environment_id]),
            upstreams=tuple(ingress.Upstream(*endpoint) for endpoint in route.endpoints()),
        )
        for route, uuid in rows
        if route.environment_id in hosts
    ]


def find_node_by_token(token: str) -> IngressNode | None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return db.session.scalar(select(IngressNode).where(IngressNode.token_hash == digest))


def live_nodes(alive_seconds: float) -> Sequence[IngressNode]:
    """Nodes heard of within `alive_seconds`."""
    since = now() - datetime.timedelta(seconds=alive_seconds)
    return db.session.scalars(select(IngressNode).where(IngressNode.seen_at >= since)).all()


def nodes_behind(version: int, alive_seconds: float) -> list[str]:
    """Names of the live nodes that do not serve `version` yet.

    When all are silent it is rather the panel that cannot be reached: then each that ever
    reported counts, so that no container is retired to which visitors may still be sent.
    """
    feed = load_feed()
    ever = select(IngressNode).where(IngressNode.seen_at.is_not(None))
    nodes = live_nodes(alive_seconds) or db.session.scalars(ever).all()
    return [
        node.name
        for node in nodes
        if node.loaded_epoch != feed.epoch or node.loaded_version < version
    ]
