"""Which hosts the ingress is told of: those of the release that runs, as far as they are one's
own still."""

from __future__ import annotations

import json

from app.adapters.ingress import Redirect
from app.adapters.ingress import Route as IngressRoute
from app.deployments.models import Release
from app.deployments.operations import request_roll_back
from app.deployments.queries import list_releases
from app.domains import operations
from app.domains.models import DomainKind, RedirectBy
from app.domains.queries import list_hosts, list_redirects
from app.extensions import db
from app.routes.operations import give_up_host, point_route, report_loaded
from app.routes.queries import find_node_by_token, find_route, list_ingress_routes, load_feed
from tests.deployments import site
from tests.domains.site import own, row
from tests.panel import ALICE, CHARLIE, NODE_TOKEN, Panel, environment, user_of

PLATFORM = "demo.localhost"
REDIRECT = DomainKind.REDIRECT


def deploy(panel: Panel) -> None:
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"


def routes(panel: Panel, port: int = 80) -> list[IngressRoute]:
    with panel.reading():
        return list_ingress_routes(port)


def served(panel: Panel) -> tuple[str, ...]:
    return next((route.hosts for route in routes(panel) if PLATFORM in route.hosts), ())


def newest(panel: Panel) -> Release:
    with panel.reading():
        return list_releases(environment("live").id)[0]


def roll_back(panel: Panel, uuid: str) -> None:
    with panel.work():
        older = db.session.scalars(db.select(Release).where(Release.uuid == uuid)).one()
        number = request_roll_back(environment("live"), older, user_of(ALICE)).id
    assert site.run(panel, number).status == "succeeded"


def test_a_domain_is_served_from_the_next_deployment_on(panel: Panel) -> None:
    deploy(panel)
    own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT, RedirectBy.MOVED_PERMANENTLY)
    assert served(panel) == (PLATFORM,) and routes(panel)[0].redirects == ()
    deploy(panel)
    assert served(panel) == (PLATFORM, "www.bakery.com")
    assert routes(panel)[0].redirects == (Redirect("bakery.com", "www.bakery.com", 301),)
    assert routes(panel, 8080)[0].redirects == (Redirect("bakery.com", "www.bakery.com:8080", 301),)


def test_the_release_tells_the_site_of_the_same_domains(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT)
    deploy(panel)
    release = newest(panel)
    with panel.reading():
        number = environment("live").id
        assert release.hosts == list_hosts(number) == [PLATFORM, "www.bakery.com"]
        assert release.redirects == list_redirects(number)
        assert release.variables["DOMAIN"] == "www.bakery.com"
        assert release.variables["DOMAIN_ALIASES"] == PLATFORM
        assert release.variables["DOMAIN_REDIRECTS"] == "bakery.com"


def test_a_removed_domain_is_served_until_the_next_deployment(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    deploy(panel)
    with panel.work():
        operations.trash_domain(row(uuid), user_of(ALICE))
    assert "www.bakery.com" in served(panel)
    deploy(panel)
    assert served(panel) == (PLATFORM,)


def test_a_roll_back_serves_the_hosts_of_the_older_release(panel: Panel) -> None:
    """Domains are configuration, and that is the release's; what came since waits again."""
    own(panel, "www.bakery.com")
    deploy(panel)
    first = newest(panel).uuid
    own(panel, "shop.bakery.com")
    deploy(panel)
    assert "shop.bakery.com" in served(panel)
    roll_back(panel, first)
    assert served(panel) == (PLATFORM, "www.bakery.com")


def test_a_host_that_was_given_away_is_not_routed_by_an_old_release(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT)
    deploy(panel)
    old = newest(panel).uuid
    with panel.reading():
        version = load_feed().version
    with panel.work():
        operations.trash_domain(row(uuid), user_of(ALICE))
        assert give_up_host(row(uuid), user_of(ALICE)) > version
    assert served(panel) == (PLATFORM,)  # at once, without a deployment
    assert routes(panel)[0].redirects == (Redirect("bakery.com", PLATFORM, 302),)
    own(panel, "www.bakery.com", of="other", by=CHARLIE)
    with panel.work():
        point_route(environment("live", "other").id, [("10.0.0.9", 80)])
    deploy(panel)
    roll_back(panel, old)
    hosts = [host for route in routes(panel) for host in route.hosts]
    assert hosts.count("www.bakery.com") == 0  # the other site has not deployed it yet
    assert sorted(hosts) == sorted(set(hosts))


def test_a_route_of_an_older_database_goes_on_being_served(panel: Panel) -> None:
    """Its `hosts` are empty; it had nothing but the platform's host, which is served always."""
    with panel.work():
        point_route(environment("live").id, [("10.0.0.1", 80)])
        route = find_route(environment("live").id)
        assert route and route.hosts == []
    assert served(panel) == (PLATFORM,)


def test_pointing_elsewhere_without_names_keeps_them(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    deploy(panel)
    with panel.work():
        point_route(environment("live").id, ())
    assert served(panel) == (PLATFORM, "www.bakery.com")


def test_a_deployment_that_fails_at_the_switch_brings_the_old_hosts_back(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    deploy(panel)
    own(panel, "shop.bakery.com")
    with panel.work():
        node = find_node_by_token(NODE_TOKEN)
        assert node
        report_loaded(node, 1, load_feed().epoch)  # it lives, and loads nothing any more
    site.commit(panel)
    assert site.deploy(panel, "live").status == "failed"
    assert served(panel) == (PLATFORM, "www.bakery.com")


def test_hosts_are_kept_as_plain_json(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT)
    deploy(panel)
    with panel.reading():
        route = find_route(environment("live").id)
        assert route
        kept = json.loads(json.dumps([route.hosts, route.redirects]))
        assert kept == [[PLATFORM, "www.bakery.com"], [["bakery.com", "www.bakery.com", 302]]]
