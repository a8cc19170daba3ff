"""Where a few typed words may lead: sites, their pages, addons, organisations, what one does often.

“demo live logs” is the log of Live of demo: words that name a page or an environment choose among
a site's pages, the others find the site.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import select

from app.accounts.models import User
from app.addons.marketplace import Wanted, find_addons
from app.applications.models import Application
from app.deployments.cards import Card, load_cards
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.overview.queries import find_sites
from app.permissions import Role
from app.web.searching import split_words

SITES_SHOWN = 8
ADDONS_SHOWN = 5
SITES_OPENED = 2
"""How many of the sites found show their pages too, not only themselves."""
SHORTEST_PAGE_WORD = 3
"""“log” is enough for Logs; two letters would be too easily part of a site's name."""


@dataclass(frozen=True)
class Place:
    """One line of the answer: `title` is what it is, `detail` where it belongs."""

    group: str
    title: str
    detail: str
    url: str
    icon: str


def find_places(user: User, text: str) -> list[Place]:
    """The places that `text` may mean for this person, the likeliest first.

    A fixed number of queries whatever there is; without words, what everybody does often.
    """
    words = split_words(text)
    if not words:
        return _own_places([])
    pages = [word for word in words if _names_a_page(word)]
    rest = [word for word in words if word not in pages]
    found = _sites(user, rest) if rest else []
    if not found and pages:
        # “deploy” may be the name of a site as well as what one does with it.
        found, pages = _sites(user, words), []
    return [
        *_site_places(found, pages),
        *_addon_places(user, words),
        *_organisation_places(user, words),
        *_own_places(words),
    ]


def _sites(user: User, words: Sequence[str]) -> Sequence[Application]:
    query = find_sites(user, " ".join(words), "", "")
    return db.session.scalars(query.limit(SITES_SHOWN)).all()


def _site_places(sites: Sequence[Application], pages: list[str]) -> Iterator[Place]:
    cards = load_cards(sites[:SITES_OPENED]) if sites else {}
    for number, site in enumerate(sites):
        opened = list(_pages_of(site, cards[site.id])) if number < SITES_OPENED else []
        wanted = [place for place in opened if _fits(place, pages)] if pages else opened
        if not pages:
            url = url_for("deployments.dashboard", slug=site.slug)
            yield Place(_("Sites"), site.name, site.organisation.name, url, "apps")
        yield from wanted


def _pages_of(site: Application, cards: Sequence[Card]) -> Iterator[Place]:
    """What one goes to a site for, environment by environment."""
    group = _("Sites")
    for card in cards:
        name = card.environment.slug
        where = f"{site.name} · {card.environment.name}"
        if card.current:
            yield Place(group, _("Open the site"), where, card.url, "external-link")
        deploy = url_for("deployments.dashboard", slug=site.slug, _anchor=f"environment-{name}")
        yield Place(group, _("Deploy"), where, deploy, "rocket")
        for title, endpoint, icon in (
            (_("Logs"), "environments.logs", "terminal-2"),
            (_("Environment variables"), "runtime.variables", "variable"),
            (_("Domains"), "domains.domains", "world"),
        ):
            url = url_for(endpoint, slug=site.slug, name=name)
            yield Place(group, title, where, url, icon)
    for title, endpoint, icon in (
        (_("Deployments"), "deployments.history", "history"),
        (_("Repository"), "environments.repository", "brand-git"),
        (_("Settings"), "runtime.settings", "settings"),
    ):
        yield Place(group, title, site.name, url_for(endpoint, slug=site.slug), icon)


PAGE_WORDS = (
    "deploy deployments logs environment variables domains repository settings open test live"
).split()


def _names_a_page(word: str) -> bool:
    return len(word) >= SHORTEST_PAGE_WORD and any(page.startswith(word) for page in PAGE_WORDS)


def _fits(place: Place, words: Sequence[str]) -> bool:
    """Whether each of the words begins one of the place's."""
    own = f"{place.title} {place.detail}".lower().split()
    return all(any(part.startswith(word) for part in own) for word in words)


def _organisation_places(user: User, words: Sequence[str]) -> Iterator[Place]:
    query = (
        select(Organisation)
        .join(Member)
        .where(Member.user_id == user.id, Member.role != Role.SITE_EDITOR)
        .order_by(Organisation.name)
        .limit(SITES_SHOWN)
    )
    for word in words:
        query = query.where(Organisation.name.icontains(word, autoescape=True))
    for row in db.session.scalars(query):
        url = url_for("organisations.members", slug=row.slug)
        yield Place(_("Organisations"), row.name, _("Members"), url, "building")


def _addon_places(user: User, words: Sequence[str]) -> Iterator[Place]:
    """What the marketplace has of that name."""
    query = find_addons(user, Wanted(words=" ".join(words)))
    for row in db.session.scalars(query.limit(ADDONS_SHOWN)):
        url = url_for("marketplace.addon", package_name=row.package_name)
        yield Place(_("Addons"), row.name, row.package_name, url, "puzzle")


def _own_places(words: Sequence[str]) -> list[Place]:
    """Those that belong to nobody's site."""
    group = _("Go to")
    everything = [
        Place(group, title, "", url_for(endpoint), icon)
        for title, endpoint, icon in (
            (_("Applications"), "overview.applications", "apps"),
            (_("New application"), "lifecycle.new", "plus"),
            (_("Marketplace"), "marketplace.addons", "puzzle"),
            (_("My addons"), "addons.mine", "package"),
            (_("Organisations"), "organisations.organisations", "building"),
            (_("Profile"), "accounts.profile", "user"),
            (_("SSH keys"), "accounts.ssh_keys", "key"),
            (_("Access tokens"), "access_tokens.access_tokens", "terminal-2"),
            (_("Status of the platform"), "platform_status.status", "circle-check"),
        )
    ]
    return [place for place in everything if _fits(place, words)]
