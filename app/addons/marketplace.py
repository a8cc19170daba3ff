"""What the marketplace shows a person, and how much each addon is used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, Text, and_, cast, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload, load_only

from app.accounts.models import User
from app.addons.models import (
    Addon,
    AddonCollaborator,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
)
from app.addons.queries import channels_from
from app.addons.versions import most_trusted, newest_first
from app.applications.models import Application
from app.applications.queries import list_applications, list_with_addons
from app.extensions import db
from app.organisations.models import Member, Organisation
from app.organisations.second_factor import has_shown_second_factor
from app.permissions import ORGANISATION_RIGHTS, Permission, Role
from app.web.searching import split_words

_BY_ROLE = [role for role in Role if Permission.ADDON_UPDATE in ORGANISATION_RIGHTS[role]]
IN_PUBLIC, AT_HOME = "public", "mine"


@dataclass(frozen=True)
class Wanted:
    """What the address of the list asks for; empty strings mean all."""

    words: str = ""
    whose: str = ""
    """`public`, or `mine`: of organisations the person is a member of."""
    category: str = ""
    channel: str = ""
    """Addons with a version of this channel or one trusted more."""


@dataclass(frozen=True)
class Offer:
    """An addon as a line of a list."""

    addon: Addon
    version: AddonVersion | None
    """The newest of the most trusted channel; None when it has none that was not yanked."""
    sites: int
    """Sites that have it, of all organisations; those in the trash do not count."""


def visible_addons(user: User) -> Select[Addon]:
    """What the person may know of, by name: the same that `queries.rights_on_addon` says of one.

    Public ones and those that come with Moonbase, all of an organisation for its owners and
    administrators, for its regular members those it shares and those they work on. Organisations
    that want a second factor which was not shown keep theirs, but for the public ones.
    """
    regular = _organisations(user, [Role.REGULAR])
    shared = or_(Addon.audience == Audience.ORGANISATION, Addon.id.in_(_given(user)))
    return _by_name().where(
        or_(
            Addon.organisation_id.is_(None),
            Addon.audience == Audience.PUBLIC,
            Addon.organisation_id.in_(_organisations(user, _BY_ROLE)),
            and_(Addon.organisation_id.in_(regular), shared),
        )
    )


def own_addons(user: User) -> Select[Addon]:
    """Those the person works on, by name: all of an organisation for its owners and
    administrators, for its regular members those they are collaborators of."""
    regular = _organisations(user, [Role.REGULAR])
    return _by_name().where(
        or_(
            Addon.organisation_id.in_(_organisations(user, _BY_ROLE)),
            and_(Addon.organisation_id.in_(regular), Addon.id.in_(_given(user))),
        )
    )


def list_updatable_ids(user: User, addons: Sequence[Addon]) -> set[int]:
    """Which of `addons` the person may change, in one query."""
    regular = _organisations(user, [Role.REGULAR])
    may_update = _given(user).where(AddonCollaborator.can_update)
    query = select(Addon.id).where(
        Addon.id.in_([row.id for row in addons]),
        or_(
            Addon.organisation_id.in_(_organisations(user, _BY_ROLE)),
            and_(Addon.organisation_id.in_(regular), Addon.id.in_(may_update)),
        ),
    )
    return set(db.session.scalars(query))


def find_addons(user: User, wanted: Wanted) -> Select[Addon]:
    """Those of `visible_addons` that have something to install and are `wanted`."""
    query = visible_addons(user).where(Addon.id.in_(_with_version(wanted.channel)))
    for word in split_words(wanted.words):
        query = query.where(
            or_(
                Addon.name.icontains(word, autoescape=True),
                Addon.package_name.icontains(word, autoescape=True),
                Addon.summary.icontains(word, autoescape=True),
            )
        )
    if wanted.whose == IN_PUBLIC:
        is_public = Addon.audience == Audience.PUBLIC
        query = query.where(or_(Addon.organisation_id.is_(None), is_public))
    elif wanted.whose == AT_HOME:
        query = query.where(Addon.organisation_id.in_(_organisations(user, list(Role))))
    if wanted.category:
        # The list is kept as JSON text, in which the word stands in quotation marks.
        quoted = json.dumps(wanted.category)
        query = query.where(cast(Addon.categories, Text).contains(quoted, autoescape=True))
    return query


def list_categories(user: User) -> list[str]:
    """All categories of what the person may know of, sorted."""
    query = visible_addons(user).with_only_columns(Addon.categories).order_by(None)
    return sorted({word for words in db.session.scalars(query) for word in words})


def load_offers(addons: Sequence[Addon]) -> list[Offer]:
    """The lines for `addons`, in their order; two queries however many there are."""
    numbers = [addon.id for addon in addons]
    versions = db.session.scalars(
        select(AddonVersion)
        .where(AddonVersion.addon_id.in_(numbers))
        .options(
            load_only(
                AddonVersion.addon_id,
                AddonVersion.version,
                AddonVersion.channel,
                AddonVersion.yanked_at,
                AddonVersion.created_at,
            )
        )
    ).all()
    sites = count_sites(numbers)
    return [
        Offer(
            addon,
            most_trusted(row for row in versions if row.addon_id == addon.id),
            sites.get(addon.id, 0),
        )
        for addon in addons
    ]


def count_sites(addon_ids: Sequence[int]) -> Mapping[int, int]:
    """On how many sites each addon is; those on none are left out."""
    query = _installed(InstalledAddon.addon_id).where(InstalledAddon.addon_id.in_(addon_ids))
    return dict(db.session.execute(query).all())


def count_sites_by_version(addon_id: int) -> Mapping[int, int]:
    """On how many sites each version of the addon is, by the version's id."""
    query = _installed(InstalledAddon.version_id).where(InstalledAddon.addon_id == addon_id)
    return dict(db.session.execute(query).all())


def list_installed_sites(addon: Addon, user: User) -> Sequence[InstalledAddon]:
    """Where it is among the sites the person may look at, with applications and versions."""
    theirs = list_applications(user).with_only_columns(Application.id).order_by(None)
    return db.session.scalars(
        select(InstalledAddon)
        .join(Application)
        .where(
            InstalledAddon.addon_id == addon.id,
            InstalledAddon.removed_at.is_(None),
            Application.id.in_(theirs),
        )
        .order_by(Application.name, Application.id)
        .options(joinedload(InstalledAddon.application), joinedload(InstalledAddon.version))
    ).all()


@dataclass(frozen=True)
class Usage:
    """Who runs one version: `sites` counts all, `named` are those the person may look at among
    its own organisation's. The others are a number, whoever they belong to."""

    version: AddonVersion
    sites: int
    named: tuple[Application, ...]

    @property
    def unnamed(self) -> int:
        return self.sites - len(self.named)


def load_usage(addon: Addon, user: User) -> list[Usage]:
    """For each version that runs somewhere, the newest first."""
    counts = count_sites_by_version(addon.id)
    seen = [
        row
        for row in list_installed_sites(addon, user)
        if row.application.organisation_id == addon.organisation_id
    ]
    return [
        Usage(
            version,
            counts[version.id],
            tuple(row.application for row in seen if row.version_id == version.id),
        )
        for version in newest_first(addon.versions)
        if version.id in counts
    ]


def list_sites_without(addon: Addon, user: User) -> Sequence[Application]:
    """Where the person may install it and it is not yet, by name."""
    has_it = select(InstalledAddon.application_id).where(
        InstalledAddon.addon_id == addon.id, InstalledAddon.removed_at.is_(None)
    )
    query = list_with_addons(user).where(Application.id.not_in(has_it))
    return db.session.scalars(query.options(joinedload(Application.organisation))).all()


def _by_name() -> Select[Addon]:
    return (
        select(Addon)
        .order_by(func.lower(Addon.name), Addon.id)
        .options(joinedload(Addon.organisation))
    )


def _organisations(user: User, roles: Sequence[Role]) -> Select[int]:
    """Those in which the person has one of `roles` and that let them in."""
    query = select(Member.organisation_id).where(Member.user_id == user.id, Member.role.in_(roles))
    if has_shown_second_factor(user):
        return query
    return query.join(Organisation).where(Organisation.requires_second_factor == false())


def _given(user: User) -> Select[int]:
    return select(AddonCollaborator.addon_id).where(AddonCollaborator.user_id == user.id)


def _with_version(channel: str) -> Select[int]:
    query = select(AddonVersion.addon_id).where(AddonVersion.yanked_at.is_(None))
    if channel not in list(Channel):
        return query
    return query.where(AddonVersion.channel.in_(channels_from(Channel(channel))))


def _installed(by: InstrumentedAttribute[int]) -> Select[int, int]:
    """Counts installations on sites that are in use, grouped by a column."""
    return (
        select(by, func.count(InstalledAddon.id))
        .join(Application, Application.id == InstalledAddon.application_id)
        .where(InstalledAddon.removed_at.is_(None), Application.trashed_at.is_(None))
        .group_by(by)
    )
