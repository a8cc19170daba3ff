"""Sites as those see them who fill them: their name, their addresses, and whether they are live."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.applications.models import Application
from app.deployments.cards import Card, load_cards, load_cards_to_compare
from app.deployments.models import Release
from app.domains.models import Domain, DomainKind
from app.domains.queries import resolve_addresses
from app.extensions import db
from app.installation import installation


@dataclass(frozen=True)
class Site:
    """A site by its Live environment; all else is the business of those who build it."""

    application: Application
    live: Card | None
    domains: Sequence[Domain] = ()
    """Proved ones of the live site, the platform's first; looked up for a page of its own."""

    @property
    def is_live(self) -> bool:
        return self.live is not None and self.live.current is not None

    @property
    def updated_at(self) -> datetime.datetime | None:
        """When what visitors see now was published."""
        current = self.live.current if self.live else None
        return current.release.created_at if current else None


def load_sites(applications: Sequence[Application]) -> list[Site]:
    """The sites of `applications` in their order, in a fixed number of queries."""
    cards = load_cards(applications)
    return [
        Site(row, next((card for card in cards[row.id] if card.environment.is_live), None))
        for row in applications
    ]


def load_site(application: Application) -> Site:
    """One for its own page, which compares as well."""
    cards = load_cards_to_compare(application)
    live = next((card for card in cards if card.environment.is_live), None)
    # As the comparison asks, which has the answer already.
    addresses = resolve_addresses([card.environment.id for card in cards])
    return Site(application, live, addresses[live.environment.id].domains if live else ())


def live_since(site: Site) -> datetime.datetime | None:
    """When the site was published for the first time; None before that."""
    if site.live is None or not site.is_live:
        return None
    first = select(func.min(Release.created_at)).where(
        Release.environment_id == site.live.environment.id
    )
    return db.session.scalar(first)


@dataclass(frozen=True)
class Address:
    """Where visitors reach a site."""

    host: str
    url: str
    kind: DomainKind


def addresses_of(site: Site) -> list[Address]:
    """All proved addresses of the live site, the one people are shown first. Once it is deployed
    those that answer: what waits for the next deployment would lead people to an error."""
    if site.live is None:
        return []
    shown = site.live.host
    rows = list(site.domains)
    if site.live.current:
        release = site.live.current.release
        served = {shown, *release.hosts, *(host for host, *_ in release.redirects)}
        rows = [row for row in rows if row.host in served]
    rows.sort(key=lambda row: row.host != shown)
    settings = installation().settings
    return [Address(row.host, settings.site_url(row.host), row.kind) for row in rows]


@dataclass(frozen=True)
class Link:
    """A part of the live site that an addon leads to, e.g. its admin."""

    label: str
    url: str


def navigation_of(site: Site) -> list[Link]:
    """What the addons of the release that visitors see lead to; always below its own address."""
    if site.live is None or site.live.current is None:
        return []
    items = site.live.current.release.contributions.get("navigation", [])
    base = site.live.url.rstrip("/")
    return [Link(item["label"], f"{base}/{item['path'].lstrip('/')}") for item in items]
