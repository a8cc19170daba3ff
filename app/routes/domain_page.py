"""What the domains page says of each host: how far it is, and what to do next."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from app.config import Settings
from app.domains import queries
from app.domains.models import Domain, DomainKind, RedirectBy
from app.domains.names import show_host
from app.domains.records import (
    DNSRecord,
    Suggestion,
    proof_record,
    proof_url,
    split_addresses,
    suggest_records,
)
from app.environments.models import Environment
from app.routes.models import Route
from app.routes.queries import find_route


@dataclass(frozen=True)
class DomainRow:
    """One domain on the page. `state` is a word of the status vocabulary."""

    domain: Domain
    state: str
    shown: str
    url: str
    suggestion: Suggestion
    proof: DNSRecord
    proof_url: str
    expires_at: datetime.datetime
    successor: str
    """Which domain becomes the primary when this one is removed; empty: none, or it is not one."""

    @property
    def is_own(self) -> bool:
        return self.domain.kind != DomainKind.PLATFORM

    @property
    def is_look_alike(self) -> bool:
        """Whether it is written otherwise in the DNS, so that another one may look the same."""
        return self.shown != self.domain.host

    @property
    def use(self) -> str:
        """The choice of `forms.USES` that it has."""
        if self.domain.kind == DomainKind.REDIRECT:
            return f"redirect-{self.domain.redirect_by}"
        return str(self.domain.kind)


def load_rows(environment: Environment, settings: Settings) -> list[DomainRow]:
    """The platform's host, the primary, then others: four queries for any number."""
    domains = queries.list_domains(environment.id)
    taken = queries.taken_hosts(domains)
    route = find_route(environment.id)
    platform = next((row.host for row in domains if row.kind == DomainKind.PLATFORM), "")
    primary = next((row.host for row in domains if row.kind == DomainKind.PRIMARY), platform)
    successor = _successor(domains)
    addresses = split_addresses(settings.sites_addresses)
    return [
        DomainRow(
            domain=row,
            state=_state(row, taken, route, primary),
            shown=show_host(row.host),
            url=settings.site_url(row.host),
            suggestion=suggest_records(row.host, platform, addresses),
            proof=proof_record(row),
            proof_url=proof_url(row),
            expires_at=row.created_at + queries.CLAIM_LASTS,
            successor=successor if row.kind == DomainKind.PRIMARY else "",
        )
        for row in domains
    ]


def _successor(domains: Sequence[Domain]) -> str:
    primary = next((row for row in domains if row.kind == DomainKind.PRIMARY), None)
    found = queries.find_successor(primary) if primary else None
    return found.host if found else ""


def _state(row: Domain, taken: frozenset[str], route: Route | None, primary: str) -> str:
    if row.proved_at is None:
        if row.host in taken:
            return "taken"
        return "expired" if queries.has_expired(row) else "unproved"
    if route is None or not _is_served(row, route, primary):
        return "undeployed"
    return "served"


def _is_served(row: Domain, route: Route, primary: str) -> bool:
    """Whether the release that runs serves it the way it is set now."""
    if row.kind == DomainKind.PLATFORM:
        return True
    if row.kind == DomainKind.REDIRECT and row.redirect_by != RedirectBy.APPLICATION:
        return [row.host, primary, int(row.redirect_by)] in route.redirects
    return row.host in route.hosts
