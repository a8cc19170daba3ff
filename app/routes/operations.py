"""Changing routes. Each change makes a new version of the feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from app.accounts.models import User
from app.accounts.queries import hash_token
from app.domains.models import Domain
from app.domains.operations import delete_domain, refuse_restored
from app.extensions import db, now
from app.routes import queries
from app.routes.models import Endpoint, Feed, IngressNode, Route


def seed_feed(node_name: str, node_token: str) -> None:
    """The feed row and the ingress node of this machine, on the first start."""
    if db.session.scalar(select(Feed)) is None:
        db.session.add(Feed())
    if queries.find_node_by_token(node_token) is None:
        db.session.add(IngressNode(name=node_name, token_hash=hash_token(node_token)))


@dataclass(frozen=True)
class Names:
    """The hosts of a release, and its redirects as host, target and status."""

    hosts: Sequence[str] = ()
    redirects: Sequence[Sequence[str | int]] = ()


def point_route(
    environment_id: int, endpoints: Sequence[Endpoint], names: Names | None = None
) -> int:
    """Send the environment's requests to `endpoints`, and at those names; without `names` they
    stay. The platform's host is served always. Returns the feed's new version."""
    route = queries.find_route(environment_id)
    if route is None:
        route = Route(environment_id=environment_id)
        db.session.add(route)
    route.upstreams = [list(endpoint) for endpoint in endpoints]
    if names:
        route.hosts = list(names.hosts)
        route.redirects = [list(redirect) for redirect in names.redirects]
    return touch_feed()


def give_up_host(domain: Domain, actor: User | None) -> int:
    """Delete a domain for good; the ingress ceases to serve it at once. Returns the feed's new
    version."""
    delete_domain(domain, actor)
    db.session.flush()
    return touch_feed()


def give_up_trashed_host(domain: Domain, actor: User | None) -> int:
    """The same for one in the trash. Raises `Conflict` when it was restored meanwhile."""
    refuse_restored(domain)
    return give_up_host(domain, actor)


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
