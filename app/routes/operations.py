"""Changing routes. Each change makes a new version of the feed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import select, update

from app.extensions import db, now
from app.routes import queries
from app.routes.models import Endpoint, Feed, IngressNode, Route


def seed_feed(node_name: str, node_token: str) -> None:
    """The feed row and the ingress node of this machine, on the first start."""
    if db.session.scalar(select(Feed)) is None:
        db.session.add(Feed())
    if queries.find_node_by_token(node_token) is None:
        digest = hashlib.sha256(node_token.encode()).hexdigest()
        db.session.add(IngressNode(name=node_name, token_hash=digest))


def point_route(environment_id: int, endpoints: Sequence[Endpoint]) -> int:
    """Send the environment's requests to `endpoints`. Returns the feed's new version."""
    route = queries.find_route(environment_id)
    if route is None:
        route = Route(environment_id=environment_id)
        db.session.add(route)
    route.upstreams = [list(endpoint) for endpoint in endpoints]
    return touch_feed()


def touch_feed() -> int:
    """A new version, e.g. after a host name came or went."""
    db.session.execute(update(Feed).values(version=Feed.version + 1))
    db.session.flush()
    feed = queries.load_feed()
    db.session.refresh(feed)
    return feed.version


def report_loaded(node: IngressNode, version: int, epoch: str) -> None:
    """Note what a node's public entry point serves, and that the node lives."""
    node.loaded_version = version
    node.loaded_epoch = epoch
    node.seen_at = now()
