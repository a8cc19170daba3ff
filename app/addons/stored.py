"""What the addons of a site bring, from stored facts alone: for pages, which ask nobody.

It stands for the branch of Test at the panel's last change; a deployment asks anew. Columns are
read and no whole rows: a site may have hundreds of addons.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import func, select

from app.addons import api
from app.addons.contributions import Contribution
from app.addons.models import Addon, AddonChange, AddonVersion, InstalledAddon
from app.extensions import db
from app.transactions import once_a_reading


@dataclass(frozen=True)
class StoredAddon:
    """One addon as its row has it. Values of variables are as for no stage at all."""

    package_name: str
    name: str
    version: str
    settings: Mapping[str, Any]
    variables: Mapping[str, str]
    commands: Sequence[tuple[str, str]]
    """Label and command."""
    processes: Sequence[api.Process]
    is_removed: bool
    changed_at: datetime.datetime | None
    """When the panel last changed it."""


@once_a_reading
def stored_addons(application_id: int) -> Sequence[StoredAddon]:
    """What the branch of Test has or had, in the order of installation."""
    changed_at = (
        select(func.max(AddonChange.created_at))
        .where(AddonChange.installed_id == InstalledAddon.id)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(
            Addon.package_name,
            Addon.name,
            AddonVersion.version,
            InstalledAddon.settings,
            InstalledAddon.contributed,
            InstalledAddon.removed_at,
            changed_at.label("changed_at"),
        )
        .select_from(InstalledAddon)
        .join(Addon, Addon.id == InstalledAddon.addon_id)
        .join(AddonVersion, AddonVersion.id == InstalledAddon.version_id)
        .where(InstalledAddon.application_id == application_id)
        .order_by(InstalledAddon.id)
    )
    return [
        StoredAddon(
            row.package_name,
            row.name,
            row.version,
            row.settings,
            {one.name: one.value for one in answer.variables},
            [(one.label, one.command) for one in answer.release_commands],
            answer.processes,
            row.removed_at is not None,
            row.changed_at,
        )
        for row in rows
        for answer in [_answer(row.contributed)]
    ]


def addon_names(package_names: Collection[str]) -> Mapping[str, str]:
    """Names for people."""
    rows = db.session.execute(
        select(Addon.package_name, Addon.name).where(Addon.package_name.in_(list(package_names)))
    )
    return {row.package_name: row.name for row in rows}


def form_fields(
    application_id: int, package_names: Collection[str]
) -> dict[str, dict[str, api.Field]]:
    """Fields of the forms by package and name, also of addons that were removed."""
    rows = db.session.execute(
        select(Addon.package_name, AddonVersion.form)
        .select_from(InstalledAddon)
        .join(Addon, Addon.id == InstalledAddon.addon_id)
        .join(AddonVersion, AddonVersion.id == InstalledAddon.version_id)
        .where(
            InstalledAddon.application_id == application_id,
            Addon.package_name.in_(list(package_names)),
        )
    )
    return {
        row.package_name: {
            one.name: one for one in msgspec.convert(row.form, tuple[api.Field, ...], strict=True)
        }
        for row in rows
    }


def _answer(contributed: Mapping[str, Any]) -> Contribution:
    if not contributed:
        return Contribution()
    return msgspec.convert(contributed["answer"], Contribution, strict=True)
