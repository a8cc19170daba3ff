"""Reading routes: the document for ingress nodes, and who has loaded what."""

from __future__ import annotations

import datetime
import json
import logging
import time
from collections.abc import Sequence

from sqlalchemy import Text, select, type_coerce

from app.accounts.queries import hash_token
from app.adapters import ingress
from app.adapters.services import ServiceKind
from app.domains.models import Domain, DomainKind
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.errors import Unavailable
from app.extensions import db, now
from app.keyrings import site_ring
from app.names import media_host
from app.routes.models import Feed, IngressNode, Route
from app.services.models import ServiceInstance, ServiceState

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_PRESENT = select(Feed.epoch, Feed.version)


def load_feed() -> Feed:
    return db.session.scalars(select(Feed)).one()


def wait_for_feed(epoch: str, version: int, seconds: float) -> bool:
    """Whether there is another feed, or one newer than `version`, at once or within that time.

    It is asked twenty times a second for as long as an installation runs: by a connection of its
    own, since a session would take six times as long for it, and by one statement, since making it
    takes as long as asking.
    """
    until = time.monotonic() + seconds
    with db.engine.connect() as connection:
        while time.monotonic() < until:
            present = connection.execute(_PRESENT).one()
            if present.epoch != epoch or present.version > version:
                return True
            connection.rollback()
            time.sleep(_LOOK_SECONDS)
    return False


def find_route(environment_id: int) -> Route | None:
    return db.session.scalar(select(Route).where(Route.environment_id == environment_id))


def list_ingress_routes(port: int = 80) -> list[ingress.Route]:
    """All routes, as the ingress adapter takes them: two queries however many there are.

    Served are the platform's host and those hosts of the running release that the environment
    still has: one that was given up, and perhaps proved by another site since, is nobody's here.
    `port` is where browsers reach sites, for redirects.
    """
    owned = _hosts_by_environment()
    rows = db.session.execute(
        select(Route, Environment.uuid, is_in_use()).join(
            Environment, Environment.id == Route.environment_id
        )
    )
    found = []
    for route, uuid, is_used in rows:
        kinds = owned.get(route.environment_id, {})
        platform = [host for host, kind in kinds.items() if kind == DomainKind.PLATFORM]
        redirects = [row for row in route.redirects if row[0] in kinds]
        sent_on = {str(row[0]) for row in redirects}
        hosts = [*platform, *(host for host in route.hosts if host in kinds)]
        served = dict.fromkeys(host for host in hosts if host not in sent_on)
        if served:
            found.append(
                ingress.Route(
                    name=uuid,
                    hosts=tuple(served),
                    # In the trash nothing answers; the row stays as it is, for coming back.
                    upstreams=tuple(ingress.Upstream(*one) for one in route.endpoints() if is_used),
                    redirects=tuple(_redirect(row, served, port) for row in redirects),
                )
            )
    return found


def list_ingress_media(platform_domain: str) -> list[ingress.Media]:
    """The public buckets of embedded servers, each at its own host; one of an administrator's
    server is reached there and not here. Those in the trash are not served, as their sites."""
    # As it is stored: one that cannot be opened must not keep all others from being served.
    stored = type_coerce(ServiceInstance.__table__.c.encrypted_facts, Text)
    query = (
        select(ServiceInstance.uuid, stored)
        .join(Environment, Environment.id == ServiceInstance.environment_id)
        .where(
            ServiceInstance.kind == ServiceKind.OBJECT_STORAGE,
            ServiceInstance.provisioned_at.is_not(None),
            ServiceInstance.state != ServiceState.REMOVING,
            ServiceInstance.trashed_at.is_(None),
            is_in_use(),
        )
    )
    found = []
    for uuid, text in db.session.execute(query.order_by(ServiceInstance.id)):
        try:
            facts = json.loads(site_ring().decrypt(text))
        except Unavailable:
            logger.warning("the bucket of service %s is not served: its facts are shut", uuid)
            continue
        if "address" in facts:
            host = media_host(facts["bucket"], platform_domain)
            upstream = ingress.Upstream(facts["address"], int(facts["port"]))
            found.append(ingress.Media(host, facts["bucket"], upstream))
    return found


def _hosts_by_environment() -> dict[int, dict[str, DomainKind]]:
    """Proved hosts with their kind, those in the trash too: they run until the next deployment."""
    owned: dict[int, dict[str, DomainKind]] = {}
    query = select(Domain.environment_id, Domain.host, Domain.kind).where(
        Domain.proved_at.is_not(None)
    )
    for number, host, kind in db.session.execute(query.order_by(Domain.id)):
        owned.setdefault(number, {})[host] = kind
    return owned


def _redirect(row: list[str | int], served: dict[str, None], port: int) -> ingress.Redirect:
    """One whose target is not the environment's any more leads to the platform's host."""
    host, target, status = str(row[0]), str(row[1]), int(row[2])
    there = target if target in served else next(iter(served))
    return ingress.Redirect(host, there if port == 80 else f"{there}:{port}", status)


def find_node_by_token(token: str) -> IngressNode | None:
    matches = IngressNode.token_hash == hash_token(token)
    return db.session.scalar(select(IngressNode).where(matches))


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
