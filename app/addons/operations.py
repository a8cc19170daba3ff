"""Registering addons, and what their authors change about them and their versions.

All belong into a unit of work. Uploading asks the sandbox, which must not happen inside of one:
`app.addons.uploads.upload_version` opens its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.accounts.models import User
from app.accounts.queries import find_user
from app.addons.models import (
    Addon,
    AddonCollaborator,
    AddonVersion,
    Audience,
    Channel,
)
from app.addons.packages.names import clean_package_name, demand_free_name, fold_name
from app.audit.operations import record
from app.errors import Invalid
from app.extensions import db, now
from app.names import clean_email, clean_name
from app.organisations.models import Organisation
from app.organisations.queries import find_member
from app.permissions import Role

SUMMARY_LENGTH = 300
LICENCE_LENGTH = 100
CHANGES_LENGTH = 20_000
REASON_LENGTH = 500
CATEGORIES = 5
CATEGORY_LENGTH = 30


@dataclass(frozen=True)
class NewAddon:
    """What the form for a new addon asks for (checklist row 80). `licence` is an identifier such
    as those of `packages.licences`, or empty."""

    package_name: str
    name: str
    licence: str = ""
    summary: str = ""
    audience: Audience = Audience.PRIVATE


@dataclass(frozen=True)
class AddonSettings:
    """What its authors may change of an addon. Its package name stays for ever."""

    name: str
    summary: str = ""
    licence: str = ""
    audience: Audience = Audience.PRIVATE
    categories: Sequence[str] = field(default=())


def register_addon(wanted: NewAddon, organisation: Organisation, actor: User) -> Addon:
    """A new addon of the organisation, without a version yet. A regular member who registers one
    becomes its collaborator with “Can update” (checklist Part 3).

    Which organisation, when the person named none, says `queries.organisation_to_register_in`.
    Raises `Invalid` for a name that cannot be used, is taken, or looks like another's.
    """
    package_name = clean_package_name(wanted.package_name)
    demand_free_name(package_name)
    addon = Addon(
        organisation=organisation,
        package_name=package_name,
        folded_name=fold_name(package_name),
        name=clean_name(wanted.name),
        summary=_clean_text(wanted.summary, "summary", SUMMARY_LENGTH),
        licence=_clean_text(wanted.licence, "licence", LICENCE_LENGTH),
        author=organisation.name,
        audience=wanted.audience,
        registered_by_id=actor.id,
    )
    member = find_member(organisation.id, actor.id)
    if member and member.role == Role.REGULAR:
        own = AddonCollaborator(user=actor, member_id=member.id, can_update=True)
        addon.collaborators.append(own)
    db.session.add(addon)
    db.session.flush()
    _record("addon.register", addon, actor)
    return addon


def update_addon(addon: Addon, settings: AddonSettings, actor: User) -> None:
    """Change how it is shown, and to whom. Sites that have it keep it when fewer people may see
    it. Raises `Invalid` naming the field."""
    before = _settings_of(addon)
    addon.name = clean_name(settings.name)
    addon.summary = _clean_text(settings.summary, "summary", SUMMARY_LENGTH)
    addon.licence = _clean_text(settings.licence, "licence", LICENCE_LENGTH)
    addon.audience = settings.audience
    addon.categories = _clean_categories(settings.categories)
    after = _settings_of(addon)
    if after != before:
        _record("addon.update", addon, actor, before=before, after=after)


def move_version(version: AddonVersion, channel: Channel, actor: User) -> None:
    """Put the version into a channel: sites that follow it, or one trusted less, are told.

    Raises `Invalid` for a version that was yanked.
    """
    if version.channel == channel:
        return
    if version.is_yanked:
        raise Invalid(
            f"Version {version.version} was yanked. Take that back before you move it.", "channel"
        )
    before, version.channel = version.channel, channel
    _record(
        "addon.move",
        version.addon,
        actor,
        before=before.value,
        after=channel.value,
        version=version.version,
    )


def yank_version(version: AddonVersion, reason: str, actor: User) -> None:
    """Take it out of the marketplace: sites that have it keep it, no other can install it.

    `reason` is shown to them; `Invalid` without one.
    """
    words = _clean_text(reason, "reason", REASON_LENGTH)
    if not words:
        raise Invalid("Say why: those who have it installed are told.", "reason")
    if version.yanked_at is None:
        version.yanked_at = now()
    version.yank_reason = words
    _record("addon.yank", version.addon, actor, version=version.version, reason=words)


def unyank_version(version: AddonVersion, actor: User) -> None:
    """Offer it again, in the channel it had. Nothing happens to one that was not yanked."""
    if version.yanked_at is None:
        return
    version.yanked_at, version.yank_reason = None, ""
    _record("addon.unyank", version.addon, actor, version=version.version)


def set_changes(version: AddonVersion, changes: str, actor: User) -> None:
    """Say what is new in it, in the author's own words."""
    words = _clean_text(changes, "changes", CHANGES_LENGTH)
    if words == version.changes:
        return
    version.changes = words
    _record("addon.changes", version.addon, actor, version=version.version)


def set_addon_collaborator(addon: Addon, email: str, can_update: bool, actor: User) -> None:
    """Let a member of the organisation work on it; again to change whether they “Can update”
    (checklist Part 3).

    Raises `Invalid` for anybody else, for those who work on everything by their role, and for a
    site editor.
    """
    user = find_user(clean_email(email))
    organisation_id = addon.organisation_id
    member = find_member(organisation_id, user.id) if user and organisation_id else None
    if user is None or member is None:
        raise Invalid("Only members of the organisation can work on its addons.", "email")
    if member.role in (Role.OWNER, Role.ADMINISTRATOR):
        raise Invalid("Owners and administrators work on every addon anyway.", "email")
    if member.role == Role.SITE_EDITOR:
        raise Invalid(
            f"{user.name} is a site editor and sees sites only. Make them a regular member first.",
            "email",
        )
    present = next((row for row in addon.collaborators if row.user_id == user.id), None)
    before = present.can_update if present else None
    if present:
        present.can_update = can_update
    else:
        row = AddonCollaborator(user=user, member_id=member.id, can_update=can_update)
        addon.collaborators.append(row)
    action = "addon.collaborator.change" if present else "addon.collaborator.add"
    _record(action, addon, actor, before=before, after=can_update, email=user.email)


def remove_addon_collaborator(addon: Addon, collaborator: AddonCollaborator, actor: User) -> None:
    """Take the work on it away again."""
    _record(
        "addon.collaborator.remove",
        addon,
        actor,
        before=collaborator.can_update,
        email=collaborator.user.email,
    )
    addon.collaborators.remove(collaborator)


def _settings_of(addon: Addon) -> dict[str, object]:
    return {
        "name": addon.name,
        "summary": addon.summary,
        "licence": addon.licence,
        "audience": addon.audience.value,
        "categories": list(addon.categories),
    }


def _clean_text(text: str, name: str, length: int) -> str:
    words = text.strip()
    if len(words) > length:
        raise Invalid(f"This has {len(words)} characters; at most {length} are kept.", name)
    if "\x00" in words:
        raise Invalid("This holds characters that cannot be used.", name)
    return words


def _clean_categories(names: Sequence[str]) -> list[str]:
    """Small letters, each once, in the order given."""
    cleaned = dict.fromkeys(" ".join(name.split()).lower() for name in names)
    kept = [name for name in cleaned if name]
    if len(kept) > CATEGORIES:
        raise Invalid(f"At most {CATEGORIES} categories.", "categories")
    for name in kept:
        if len(name) > CATEGORY_LENGTH or not name.isprintable():
            raise Invalid(f"“{name[:CATEGORY_LENGTH]}” cannot be a category.", "categories")
    return kept


def _record(action: str, addon: Addon, actor: User, **details: object) -> None:
    record(
        action,
        addon.package_name,
        actor=actor,
        organisation_id=addon.organisation_id,
        **details,  # type: ignore[arg-type]
    )
