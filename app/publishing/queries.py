"""Where the addons of a site stand: saved, on the test site, live; and what is new of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import defer, joinedload

from app.addons.models import AddonChange, AddonVersion, InstalledAddon
from app.addons.queries import list_installed
from app.addons.versions import newest_in, order_of
from app.applications.models import Application
from app.deployments.cards import Card, load_cards_to_compare
from app.deployments.waiting import Waiting, load_waiting
from app.environments.models import LIVE, TEST
from app.extensions import db
from app.installation import installation
from app.repositories.queries import list_followed, load_repository

COMMITS_LOOKED_AT = 500
"""Of more that wait, the older ones count as published: the page is about the newest."""


@dataclass(frozen=True)
class Place:
    """Test or Live as publishing sees it."""

    card: Card
    waiting: Waiting
    missing: Sequence[str] = ()
    """Commits of Test's branch that it does not run, newest first."""
    has_all: bool = False
    """It was deployed, and runs the tip of Test's branch."""

    def has(self, change: AddonChange, secret_names: frozenset[str]) -> bool:
        """Whether it runs with `change`; `secret_names` are the variables of its secrets."""
        if self.card.current is None or change.commit in self.missing:
            return False
        names = {row.name for row in self.waiting.changes}
        return not (change.secrets and names & secret_names)


@dataclass(frozen=True)
class Places:
    """A site's two places; None where it has no such environment."""

    test: Place | None
    live: Place | None


@dataclass(frozen=True)
class AddonCard:
    """One addon of a site at a glance. `state` is a word of the status vocabulary."""

    installed: InstalledAddon
    state: str
    newest_change: AddonChange | None
    update: AddonVersion | None
    has_form: bool
    secret_names: frozenset[str] = frozenset()

    @property
    def is_waiting(self) -> bool:
        return self.state != "published"


def load_places(application: Application) -> Places:
    """Test and Live. Asks Git only where something waits."""
    cards = {card.environment.slug: card for card in load_cards_to_compare(application)}
    found = [cards[slug] for slug in ("test", "live") if slug in cards]
    waiting = load_waiting([card.environment for card in found])
    test = cards.get("test")
    head = test.tracked.head if test and test.tracked else None
    places = {
        card.environment.slug: _place(card, waiting[card.environment.id], head) for card in found
    }
    return Places(places.get("test"), places.get("live"))


def _place(card: Card, waiting: Waiting, head: str | None) -> Place:
    deployed = card.tracked.deployed if card.tracked else None
    if head is None or deployed == head:
        return Place(card, waiting, has_all=card.current is not None and head is not None)
    key = load_repository(card.environment.application_id).uuid
    commits = installation().adapters.repositories.log(key, head, deployed, COMMITS_LOOKED_AT)
    missing = [commit.sha for commit in commits]
    return Place(card, waiting, missing, has_all=card.current is not None and not missing)


def load_addon_cards(application: Application, places: Places) -> list[AddonCard]:
    """The site's addons in the order of their installation."""
    return cards_of(list_installed(application.id), places)


def load_card(installed: InstalledAddon) -> AddonCard:
    """One addon for its own page, which costs the same however many the site has: Git is asked
    only where something waits, and all that waits is compared only after a secret was changed."""
    change = db.session.scalars(list_changes(installed.id).limit(1)).first()
    if change is not None and change.secrets:
        return cards_of([installed], load_places(installed.application))[0]
    return AddonCard(
        installed=installed,
        state=_state_by_commit(installed.application_id, change),
        newest_change=change,
        update=find_updates([installed]).get(installed.id),
        has_form=bool(installed.version.fields),
    )


def _state_by_commit(application_id: int, change: AddonChange | None) -> str:
    deployed = {row.slug: row.deployed for row in list_followed(application_id)}
    if change is None or LIVE not in deployed or _is_in(application_id, change, deployed[LIVE]):
        return "published"
    return "tried" if _is_in(application_id, change, deployed.get(TEST)) else "saved"


def _is_in(application_id: int, change: AddonChange, commit: str | None) -> bool:
    """Whether what is deployed holds the change."""
    if commit is None or commit == change.commit:
        return commit is not None
    key = load_repository(application_id).uuid
    return installation().adapters.repositories.count(key, change.commit, commit) == 0


def cards_of(rows: Sequence[InstalledAddon], places: Places) -> list[AddonCard]:
    """In the order of `rows`; two queries for any number of them, and none for none."""
    if not rows:
        return []
    changes = newest_changes([row.id for row in rows])
    updates = find_updates(rows)
    cards = []
    for row in rows:
        fields = row.version.fields
        secret_names = frozenset(one.variable for one in fields if one.is_secret)
        change = changes.get(row.id)
        cards.append(
            AddonCard(
                installed=row,
                state=_state(change, secret_names, places),
                newest_change=change,
                update=updates.get(row.id),
                has_form=bool(fields),
                secret_names=secret_names,
            )
        )
    return cards


def _state(change: AddonChange | None, secret_names: frozenset[str], places: Places) -> str:
    if change is None:
        return "published"
    if places.live is None or places.live.has(change, secret_names):
        return "published"
    if places.test is not None and places.test.has(change, secret_names):
        return "tried"
    return "saved"


def newest_changes(installed_ids: Sequence[int]) -> Mapping[int, AddonChange]:
    """The newest change of each, in one query."""
    newest = (
        select(func.max(AddonChange.id))
        .where(AddonChange.installed_id.in_(installed_ids))
        .group_by(AddonChange.installed_id)
    )
    rows = db.session.scalars(select(AddonChange).where(AddonChange.id.in_(newest)))
    return {row.installed_id: row for row in rows}


def find_updates(rows: Sequence[InstalledAddon]) -> Mapping[int, AddonVersion]:
    """By installation, the version its site is told of: newer, in its channel, not yanked."""
    versions: dict[int, list[AddonVersion]] = {}
    numbers = {row.addon_id for row in rows}
    light = [defer(AddonVersion.form), defer(AddonVersion.rights), defer(AddonVersion.facts)]
    wanted = select(AddonVersion).where(
        AddonVersion.addon_id.in_(numbers),
        AddonVersion.id.not_in({row.version_id for row in rows}),
        AddonVersion.yanked_at.is_(None),
    )
    for version in db.session.scalars(wanted.options(*light)):
        versions.setdefault(version.addon_id, []).append(version)
    found = {}
    for row in rows:
        newest = newest_in(versions.get(row.addon_id, []), row.channel)
        if newest is not None and order_of(newest) > order_of(row.version):
            found[row.id] = newest
    return found


def list_changes(installed_id: int) -> Select[AddonChange]:
    """The history of one addon, newest first."""
    return (
        select(AddonChange)
        .where(AddonChange.installed_id == installed_id)
        .order_by(AddonChange.id.desc())
    )


def find_change(installed_id: int, uuid: str) -> AddonChange | None:
    return db.session.scalar(
        select(AddonChange).where(
            AddonChange.installed_id == installed_id, AddonChange.uuid == uuid
        )
    )


def list_site_changes(application_id: int, commits: Sequence[str]) -> Sequence[AddonChange]:
    """Changes of the site's addons, removed ones included, that stand in one of `commits`; newest
    first, with their addons."""
    return db.session.scalars(
        select(AddonChange)
        .join(InstalledAddon)
        .where(InstalledAddon.application_id == application_id, AddonChange.commit.in_(commits))
        .order_by(AddonChange.id.desc())
        .options(joinedload(AddonChange.installed).joinedload(InstalledAddon.addon))
    ).all()


def secret_names_of(application_id: int) -> frozenset[str]:
    """The variables that carry secrets of the site's addons."""
    rows = list_installed(application_id)
    return frozenset(
        field.variable for row in rows for field in row.version.fields if field.is_secret
    )


def list_removals(application_id: int, places: Places) -> Sequence[InstalledAddon]:
    """Addons that were taken out, while the live site still has them."""
    removed = db.session.scalars(
        select(InstalledAddon)
        .where(
            InstalledAddon.application_id == application_id, InstalledAddon.removed_at.is_not(None)
        )
        .order_by(InstalledAddon.id)
        .options(joinedload(InstalledAddon.addon), joinedload(InstalledAddon.version))
    ).all()
    place = places.live
    if place is None or place.card.current is None or not removed:
        return []
    changes = newest_changes([row.id for row in removed])
    return [row for row in removed if row.id in changes and changes[row.id].commit in place.missing]
