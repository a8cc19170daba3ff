"""Finding addons, and what a person may do with one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Text, and_, cast, inspect, or_, select
from sqlalchemy.orm import contains_eager, joinedload

from app.accounts.models import AccessToken, User
from app.addons.models import (
    Addon,
    AddonCollaborator,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
)
from app.extensions import db
from app.organisations.models import Member
from app.organisations.second_factor import lets_in
from app.permissions import ADDON_USE, ADDON_WORK, ORGANISATION_RIGHTS, Permission, Role
from app.transactions import once_a_reading

_BY_ROLE = (Role.OWNER, Role.ADMINISTRATOR)
TRUST = (Channel.ALPHA, Channel.BETA, Channel.STABLE)
"""From the least to the most trusted."""


def find_addon(package_name: str) -> Addon | None:
    return db.session.scalar(select(Addon).where(Addon.package_name == package_name))


def find_version(addon_id: int, version: str) -> AddonVersion | None:
    return db.session.scalar(
        select(AddonVersion).where(
            AddonVersion.addon_id == addon_id, AddonVersion.version == version
        )
    )


def versions_by_uuid(uuids: Collection[str]) -> Sequence[AddonVersion]:
    """Those that there are, with their addons."""
    return db.session.scalars(
        select(AddonVersion)
        .where(AddonVersion.uuid.in_(list(uuids)))
        .options(joinedload(AddonVersion.addon))
    ).all()


def rights_on_addon(addon: Addon, user: User) -> frozenset[Permission]:
    """All the person may do with it (checklist Part 3); empty for those who may not know that it
    exists. An organisation that wants a second factor which was not shown gives nothing."""
    rights = rights_behind_the_door(addon, user)
    if addon.organisation is None or lets_in(addon.organisation, user):
        return rights
    return rights & ADDON_USE if addon.audience == Audience.PUBLIC else frozenset()


def rights_behind_the_door(addon: Addon, user: User) -> frozenset[Permission]:
    """What `rights_on_addon` gives once a second factor is shown."""
    public = ADDON_USE if addon.is_built_in or addon.audience == Audience.PUBLIC else frozenset()
    if addon.organisation_id is None:
        return public
    found = db.session.execute(
        select(Member.role, AddonCollaborator.can_update)
        .outerjoin(
            AddonCollaborator,
            and_(
                AddonCollaborator.user_id == Member.user_id,
                AddonCollaborator.addon_id == addon.id,
            ),
        )
        .where(Member.user_id == user.id, Member.organisation_id == addon.organisation_id)
    ).one_or_none()
    if found is None:
        return public
    role, can_update = found
    if role in _BY_ROLE:
        return public | (ADDON_WORK & ORGANISATION_RIGHTS[role])
    if role == Role.SITE_EDITOR:
        return public
    if can_update is not None:
        return public | (ADDON_WORK if can_update else ADDON_USE)
    return public | (ADDON_USE if addon.audience == Audience.ORGANISATION else frozenset())


def addon_rights_by_token(addon: Addon, token: AccessToken) -> frozenset[Permission]:
    """What whoever shows `token` may do with it; see `AccessToken.limit`."""
    rights = rights_on_addon(addon, token.user)
    if addon.organisation_id is None:
        return rights & ADDON_USE
    return token.limit(rights, addon.organisation_id)


@once_a_reading
def list_installed(application_id: int) -> Sequence[InstalledAddon]:
    """What the Test branch has, in the order of installation, with addons and versions."""
    return db.session.scalars(
        select(InstalledAddon)
        .where(InstalledAddon.application_id == application_id, InstalledAddon.removed_at.is_(None))
        .order_by(InstalledAddon.id)
        .options(joinedload(InstalledAddon.addon), joinedload(InstalledAddon.version))
    ).all()


def find_installed(application_id: int, package_name: str) -> InstalledAddon | None:
    """Not one that was removed."""
    return db.session.scalar(
        select(InstalledAddon)
        .join(Addon)
        .where(
            InstalledAddon.application_id == application_id,
            InstalledAddon.removed_at.is_(None),
            Addon.package_name == package_name,
        )
        .options(joinedload(InstalledAddon.addon), joinedload(InstalledAddon.version))
    )


class Named(NamedTuple):
    """An installed addon by the number of its row."""

    id: int
    package_name: str
    is_built_in: bool


def list_installed_names(application_id: int) -> list[Named]:
    """What the Test branch has, in the order of installation: cheap however many there are."""
    rows = db.session.execute(
        select(InstalledAddon.id, Addon.package_name, Addon.organisation_id.is_(None))
        .join(InstalledAddon.addon)
        .where(InstalledAddon.application_id == application_id, InstalledAddon.removed_at.is_(None))
        .order_by(InstalledAddon.id)
    )
    return [Named(*row) for row in rows]


def list_contributing(application_id: int) -> Sequence[InstalledAddon]:
    """Those of `list_installed` that may bring anything: they come with Moonbase, or have answered
    something before."""
    has_answered = cast(InstalledAddon.contributed, Text) != "{}"
    return db.session.scalars(
        select(InstalledAddon)
        .join(InstalledAddon.addon)
        .where(
            InstalledAddon.application_id == application_id,
            InstalledAddon.removed_at.is_(None),
            or_(Addon.organisation_id.is_(None), has_answered),
        )
        .order_by(InstalledAddon.id)
        .options(contains_eager(InstalledAddon.addon), joinedload(InstalledAddon.version))
    ).all()


def find_row(application_id: int, addon_id: int) -> InstalledAddon | None:
    """Also one that was removed."""
    return db.session.scalar(
        select(InstalledAddon).where(
            InstalledAddon.application_id == application_id, InstalledAddon.addon_id == addon_id
        )
    )


def read_again(installed: InstalledAddon, *, with_texts: bool = False) -> None:
    """Read the row with its addon, version and application in one query, where a reading that has
    ended would have each of them read by itself."""
    state = inspect(installed)
    if not state.expired or state.identity is None:
        return
    version = joinedload(InstalledAddon.version)
    if with_texts:
        version = version.undefer(AddonVersion.texts)
    whole = (joinedload(InstalledAddon.addon), joinedload(InstalledAddon.application), version)
    number = state.identity[0]
    db.session.scalar(select(InstalledAddon).where(InstalledAddon.id == number).options(*whole))


def channels_from(channel: Channel) -> tuple[Channel, ...]:
    """`channel` and those trusted more: what a site that follows it is told of."""
    return TRUST[TRUST.index(channel) :]
