"""Asking the addons of a commit what they bring to one environment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.adapters.sandbox import SandboxFailed
from app.addons import api
from app.addons.contributions import Collected, Contribution, Part, collect, with_fields
from app.addons.in_commit import CommitFiles, CommittedAddon, read_addons
from app.addons.models import AddonChange, AddonVersion, InstalledAddon
from app.addons.queries import find_version
from app.addons.questions import contribute
from app.addons.rights import read_rights
from app.errors import Invalid
from app.extensions import db

Ask = Callable[[AddonVersion, api.Site], Contribution]


@dataclass(frozen=True)
class Place:
    """For which site addons are asked. `own_names` are the variables people have set there: a
    secret field whose variable is among them is set."""

    application_id: int
    name: str
    slug: str
    stage: str
    own_names: Collection[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """What the addons of a commit answered, and what they are."""

    collected: Collected = field(default_factory=Collected)
    parts: Sequence[Part] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """As the commit has them, by package name."""

    def stored(self, own_names: Collection[str] = ()) -> dict[str, Any]:
        """JSON for `Release.contributions`; variables that people set are not the addons'."""
        kept = self.collected.stored()
        owners = kept["variables"].items()
        return {
            **kept,
            "variables": {name: owner for name, owner in owners if name not in own_names},
            "settings": self.settings,
            "commands": [
                [part.package_name, row.label, row.command]
                for part in self.parts
                for row in part.contribution.release_commands
            ],
            "brought_processes": [
                [part.package_name, row.name, row.command, row.count]
                for part in self.parts
                for row in part.contribution.processes
            ],
        }


def ask_addons(files: CommitFiles, place: Place, ask: Ask = contribute) -> Asked:
    """Ask all addons that the commit holds and that were installed in the application once.

    Others in `addons/` are the site's own affair. Asking may take seconds: no transaction may be
    open. Raises `Invalid` and `AddonConflict` with sentences for people.
    """
    committed = read_addons(files)
    rows = [row for row in _installed(place.application_id) if row.addon.package_name in committed]
    names = tuple(row.addon.package_name for row in rows)
    site = api.Site(place.name, place.slug, place.stage, {}, files.top, names)
    parts = [_part(row, committed[row.addon.package_name], site, place, ask) for row in rows]
    settings = {name: dict(committed[name].settings) for name in names}
    return Asked(collect(parts), parts, settings)


def _installed(application_id: int) -> Sequence[InstalledAddon]:
    """Removed ones as well: the commit decides. In the order of installation."""
    return db.session.scalars(
        select(InstalledAddon)
        .where(InstalledAddon.application_id == application_id)
        .order_by(InstalledAddon.id)
        .options(joinedload(InstalledAddon.addon), joinedload(InstalledAddon.version))
    ).all()


def _part(
    row: InstalledAddon, committed: CommittedAddon, site: api.Site, place: Place, ask: Ask
) -> Part:
    version = _version_of(row, committed)
    fields = version.fields
    settings = settings_for_hooks(fields, committed.settings, place.own_names)
    rights = read_rights(_agreed(row, version))
    name = row.addon.package_name
    told = api.Site(site.name, site.slug, site.stage, settings, site.files, site.addons)
    try:
        answered = with_fields(ask(version, told), fields, settings)
    except SandboxFailed as failed:
        raise Invalid(
            f"The addon {name} cannot say what it adds to the site: {failed.sentence}"
        ) from failed
    return Part(name, version.version, rights, answered)


def _version_of(row: InstalledAddon, committed: CommittedAddon) -> AddonVersion:
    """The version the commit names; what Test has where it names none."""
    if committed.version in ("", row.version.version):
        return row.version
    found = find_version(row.addon_id, committed.version)
    if found is None:
        raise Invalid(
            f"The commit has version {committed.version[:50]} of the addon "
            f"{row.addon.package_name}, which is not known here. Install a known one."
        )
    if found.is_yanked and not _had(row, found):
        raise Invalid(
            f"The commit has version {found.version} of the addon {row.addon.package_name}, which "
            "its authors have taken back. Install another one."
        )
    return found


def _agreed(row: InstalledAddon, version: AddonVersion) -> Mapping[str, Any]:
    """The rights people agreed to: those of a version this site had once count for its commits,
    which Live may still deploy."""
    is_older = version.id != row.version_id and _had(row, version)
    return version.rights if is_older else row.consented


def _had(row: InstalledAddon, version: AddonVersion) -> bool:
    """Whether the site had this version once."""
    query = select(AddonChange.id).where(
        AddonChange.installed_id == row.id, AddonChange.version_after == version.version
    )
    return db.session.scalar(query.limit(1)) is not None


def settings_for_hooks(
    fields: Sequence[api.Field], stored: Mapping[str, Any], own_names: Collection[str]
) -> dict[str, api.Value]:
    """What a hook is told: initial values where nothing is stored, of secrets whether they are
    set. What the form does not know is handed on as it is."""
    settings: dict[str, Any] = dict(stored)
    for row in fields:
        if row.is_secret:
            settings[row.name] = row.variable in own_names
        else:
            settings.setdefault(row.name, row.initial)
    return settings
