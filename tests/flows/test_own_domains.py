"""An own domain from the claim to visitors: real DNS look-ups, real containers, real Traefik."""

from __future__ import annotations

import http.client

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.domains import operations
from app.domains.checks import Claim, look
from app.domains.models import Domain, DomainKind, RedirectBy
from app.domains.queries import find_domain, platform_host_of
from app.environments.queries import find_environment
from app.extensions import db
from app.installation import installation
from app.routes.operations import give_up_host
from app.transactions import unit_of_work
from tests.contracts.outbound_fixtures import NameServer
from tests.flows.running_panel import OWNER, RunningPanel, wait_for


def ask(
    panel: RunningPanel, host: str, path: str = "/", method: str = "GET"
) -> tuple[int, str, str]:
    """One request at the ingress: status, where it leads, body."""
    connection = http.client.HTTPConnection("127.0.0.1", panel.settings.sites_port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read().decode()
    finally:
        connection.close()


def claim(panel: RunningPanel, slug: str, host: str) -> Domain:
    with panel.app.app_context(), unit_of_work():
        application, owner = find_application(slug), find_user(OWNER)
        assert application and owner
        live = find_environment(application.id, "live")
        assert live
        row = operations.claim_domain(live, host, owner, panel.settings)
        db.session.flush()
        db.session.expunge(row)
        return row


def check(panel: RunningPanel, domain: Domain) -> str:
    """As “Check now” does; returns the sentence."""
    with panel.app.app_context():
        here = claim_of(domain)
        finding = look(here, installation().adapters.outbound)
        with unit_of_work():
            row = db.session.get_one(Domain, domain.id)
            operations.note_finding(row, finding, None)
        return finding.sentence


def claim_of(domain: Domain) -> Claim:
    """Inside an app context."""
    row = db.session.get_one(Domain, domain.id)
    found = Claim.of(row, platform_host_of(row.environment_id), ())
    db.session.rollback()
    return found


def own(panel: RunningPanel, names: NameServer, slug: str, host: str) -> Domain:
    row = claim(panel, slug, host)
    names.set(f"_moonbase.{host}", "TXT", row.proof_token)
    check(panel, row)
    with panel.app.app_context():
        assert find_domain(host)
    return row


def use(panel: RunningPanel, domain: Domain, redirect_by: RedirectBy) -> None:
    with panel.app.app_context(), unit_of_work():
        row, owner = db.session.get_one(Domain, domain.id), find_user(OWNER)
        assert owner
        operations.change_use(row, DomainKind.REDIRECT, redirect_by, owner)


def test_from_the_claim_to_visitors_and_back(panel: RunningPanel, name_server: NameServer) -> None:
    panel.create_application("bakery")
    panel.push_page("bakery", "bread")
    panel.deploy("bakery")
    row = claim(panel, "bakery", "www.bakery.com")
    assert "There is no TXT record" in check(panel, row)
    assert ask(panel, "www.bakery.com")[0] == 404
    name_server.set("www.bakery.com", "CNAME", "bakery.localhost.")
    name_server.set("_moonbase.www.bakery.com", "TXT", row.proof_token)
    assert check(panel, row) == "It leads here."
    assert ask(panel, "www.bakery.com")[0] == 404  # proved, and waits for the deployment
    assert panel.deploy("bakery").status == "succeeded"
    assert ask(panel, "www.bakery.com") == (200, "", "bread")
    assert ask(panel, "WWW.Bakery.com")[0] == 200
    assert ask(panel, "bakery.localhost") == (200, "", "bread")  # the platform's goes on
    assert ask(panel, "nobody.bakery.com")[0] == 404
    with panel.app.app_context(), unit_of_work():
        owner, domain = find_user(OWNER), db.session.get_one(Domain, row.id)
        assert owner
        operations.trash_domain(domain, owner)
    assert ask(panel, "www.bakery.com")[0] == 200  # until the next deployment
    with panel.app.app_context(), unit_of_work():
        give_up_host(db.session.get_one(Domain, row.id), None)
    wait_for(lambda: ask(panel, "www.bakery.com")[0] == 404, 10)
    assert ask(panel, "bakery.localhost")[0] == 200


def test_redirects_keep_path_and_query(panel: RunningPanel, name_server: NameServer) -> None:
    panel.create_application("florist")
    panel.push_page("florist", "flowers")
    own(panel, name_server, "florist", "www.florist.com")
    found = own(panel, name_server, "florist", "florist.com")
    moved = own(panel, name_server, "florist", "old-florist.com")
    left = own(panel, name_server, "florist", "xn--blten-kva.com")
    use(panel, found, RedirectBy.FOUND)
    use(panel, moved, RedirectBy.MOVED_PERMANENTLY)
    use(panel, left, RedirectBy.APPLICATION)
    assert panel.deploy("florist").status == "succeeded"
    there = f"http://www.florist.com:{panel.settings.sites_port}"
    path = "/roses/?colour=red%20or%2Fwhite&x=a+b"
    assert ask(panel, "florist.com", path)[:2] == (302, f"{there}{path}")
    assert ask(panel, "old-florist.com", path)[:2] == (301, f"{there}{path}")
    assert ask(panel, "florist.com")[:2] == (302, f"{there}/")
    for path in ("//evil.com/", "/\\evil.com/", "/@evil.com/", "/%2f%2fevil.com/"):
        assert ask(panel, "florist.com", path)[1].startswith(f"{there}/"), path  # no open one
    assert ask(panel, "xn--blten-kva.com") == (200, "", "flowers")
    assert ask(panel, "www.florist.com") == (200, "", "flowers")
