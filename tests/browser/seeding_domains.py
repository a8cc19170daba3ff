"""Own domains of a site: served, waiting for a deployment, claimed."""

from __future__ import annotations

from app.accounts.models import User
from app.domains.checks import Finding
from app.domains.models import DomainKind, RedirectBy
from app.domains.operations import change_use, claim_domain, note_finding
from app.domains.queries import CLAIM_LASTS
from app.environments.models import Environment
from app.extensions import now
from app.installation import installation
from app.routes.operations import Names, point_route


def seed_domains(live: Environment, owner: User) -> None:
    """A primary that is served, one that waits for the next deployment, and claims."""
    settings = installation().settings
    for host in ("www.example.com", "example.com"):
        row = claim_domain(live, host, owner, settings)
        note_finding(row, Finding(True, True, "It leads here."), owner)
    change_use(row, DomainKind.REDIRECT, RedirectBy.FOUND, owner)
    point_route(live.id, [], Names(["www.example.com"], [["example.com", "www.example.com", 302]]))
    for host in ("shop.example.org", "bäckerei.example.org", "example.net"):
        row = claim_domain(live, host, owner, settings)
        proved = host.startswith("shop")
        sentence = "" if proved else f"There is no TXT record at _moonbase.{row.host} yet."
        note_finding(row, Finding(proved, False, f"{sentence} It leads to 203.0.113.9."), owner)
    claim_domain(live, "old.example.net", owner, settings).created_at = now() - 2 * CLAIM_LASTS
