"""Plans: what an installation, a save, an upgrade, an undo or a removal would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask_babel import gettext as _

from app.adapters.git import RepositoryStore
from app.addons import queries
from app.addons.installing import words
from app.addons.installing.entering import Entered
from app.addons.installing.making import Wanted, make_plan, read_site, told_before
from app.addons.installing.plan import CurrentSettings, Plan
from app.addons.installing.reasons import (
    refuse_changed_again,
    refuse_needed,
    refuse_no_longer_valid,
    refuse_overtaken,
    refuse_removed,
    refuse_yanked,
)
from app.addons.models import AddonChange, AddonVersion, ChangeKind, InstalledAddon, PackageKind
from app.addons.project.settings_json import is_same
from app.applications.models import Application
from app.errors import Conflict, Invalid


def plan_install(
    application: Application,
    version: AddonVersion,
    settings: Mapping[str, Any],
    store: RepositoryStore,
    secrets: Mapping[str, str | None] | None = None,
) -> Plan:
    """Install `version`. `settings` are cleaned values by field; fields it does not hold keep what
    `settings.json` at the tip says, and take their initial value otherwise.

    Raises `Conflict` when the addon is installed already, and `Invalid` for a yanked version.
    """
    refuse_yanked(version)
    row = queries.find_row(application.id, version.addon_id)
    if row is not None and row.removed_at is None:
        raise Conflict(_("%(name)s is installed already.", name=version.addon.name))
    site = read_site(application, version, store)
    found = site.settings(version)
    after = {**_initials(version), **found.values, **settings}
    notes = (found.problem,) if found.problem else ()
    after = _without_secrets(version, after)
    return make_plan(
        Wanted(
            ChangeKind.INSTALL, application, version, row, site, {}, after, secrets or {}, notes
        ),
        store,
    )


def plan_save(
    installed: InstalledAddon,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str | None],
    store: RepositoryStore,
    seen: str = "",
) -> Plan:
    """Save the form. `settings` are cleaned values by field, `secrets` those to replace (None
    removes one); what is in neither stays. `seen` is that of the `CurrentSettings` the form was
    filled from; empty overwrites.

    Raises `Conflict` when somebody saved meanwhile, and `Invalid` for a `settings.json` that
    cannot be read, unless `seen` stands for just that.
    """
    wanted = _saving(installed, settings, secrets, store)
    _refuse_unseen(wanted, installed, seen)
    return make_plan(wanted, store)


def plan_form(
    installed: InstalledAddon, entered: Entered, store: RepositoryStore, seen: str = ""
) -> Plan:
    """`plan_save` of what a person has entered, once the addon takes it. An uploaded one is asked
    in the same question what it adds to the site. Raises `Refused` as well."""
    wanted = _saving(installed, {}, entered.secrets, store)
    is_plugin = wanted.version.kind == PackageKind.PLUGIN
    checked = entered.check(wanted.version, told_before(wanted) if is_plugin else None)
    queries.read_again(installed, with_texts=True)
    _refuse_unseen(wanted, installed, seen)
    after = _without_secrets(wanted.version, {**wanted.before, **checked.settings})
    return make_plan(replace(wanted, after=after, heard=checked), store)


def plan_upgrade(installed: InstalledAddon, version: AddonVersion, store: RepositoryStore) -> Plan:
    """Move to `version`, newer or older. Settings are carried over, new fields take their initial
    value. Values of fields that are gone stay in `settings.json`: the site's loader does not mind
    them, and going back to the older version finds them again.

    Raises `Invalid` for a yanked version, and for one of another addon.
    """
    refuse_removed(installed)
    refuse_yanked(version)
    if version.addon_id != installed.addon_id:
        raise Invalid(_("This is a version of another addon."))
    if version.id == installed.version_id:
        name, number = version.addon.name, version.version
        raise Conflict(_("%(name)s has version %(number)s already.", name=name, number=number))
    site = read_site(installed.application, version, store)
    found = site.settings(version)
    if found.problem:
        raise Invalid(found.problem)
    before = _present(found)
    after = _without_secrets(version, {**_initials(version), **before})
    wanted = Wanted(
        ChangeKind.UPGRADE, installed.application, version, installed, site, before, after
    )
    return make_plan(wanted, store)


def plan_undo(change: AddonChange, store: RepositoryStore) -> Plan:
    """Set the settings that this save changed back to what they were before. Secrets stay as they
    are: their history is that of the variables.

    Raises `Conflict` when a later change touched one of them, and `Invalid` for what was no save.
    """
    installed = change.installed
    refuse_removed(installed)
    touched = [
        name
        for name in sorted({*change.before, *change.after})
        if not _has_same(name, change.before, change.after)
    ]
    if change.kind not in (ChangeKind.SAVE, ChangeKind.UNDO) or not touched:
        raise Invalid(_("Only a save that changed settings can be undone."))
    site = read_site(installed.application, installed.version, store)
    found = site.settings(installed.version)
    if found.problem:
        raise Invalid(found.problem)
    present = _present(found)
    fields = {one.name: one for one in installed.version.fields}
    changed = [name for name in touched if not _has_same(name, present, change.after)]
    refuse_changed_again(installed, changed, fields)
    after = {name: value for name, value in present.items() if name not in touched}
    after |= {name: change.before[name] for name in touched if name in change.before}
    if change.version_after != installed.version.version:
        refuse_no_longer_valid(installed.version, after, touched)
    notes = [words.secrets_stay(fields[name].label) for name in change.secrets if name in fields]
    wanted = Wanted(
        ChangeKind.UNDO,
        installed.application,
        installed.version,
        installed,
        site,
        present,
        _without_secrets(installed.version, after),
        notes=tuple(notes),
    )
    return make_plan(wanted, store)


def plan_remove(installed: InstalledAddon, store: RepositoryStore) -> Plan:
    """Take it out of the site. Templates and files that were copied stay, for they are the site's
    own now. Raises `Conflict` when another installed addon needs it."""
    refuse_removed(installed)
    refuse_needed(installed)
    site = read_site(installed.application, installed.version, store)
    before = _present(site.settings(installed.version))
    secret = [one.label or one.name for one in installed.version.fields if one.is_secret]
    wanted = Wanted(
        ChangeKind.REMOVE,
        installed.application,
        installed.version,
        installed,
        site,
        before,
        {},
        notes=(words.copies_stay(), *map(words.secrets_kept, secret)),
    )
    return make_plan(wanted, store)


def _saving(
    installed: InstalledAddon,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str | None],
    store: RepositoryStore,
) -> Wanted:
    refuse_removed(installed)
    application, version = installed.application, installed.version
    site = read_site(application, version, store)
    before = _present(site.settings(version))
    after = _without_secrets(version, {**before, **settings})
    return Wanted(ChangeKind.SAVE, application, version, installed, site, before, after, secrets)


def _refuse_unseen(wanted: Wanted, installed: InstalledAddon, seen: str) -> None:
    found = wanted.site.settings(wanted.version)
    if found.problem and seen != found.seen:
        raise Invalid(found.problem)
    if seen and seen != found.seen:
        refuse_overtaken(installed, found)


def _initials(version: AddonVersion) -> dict[str, Any]:
    return {one.name: one.initial for one in version.fields if not one.is_secret}


def _without_secrets(version: AddonVersion, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Git never has them, also not one that was no secret in an older version."""
    secret = {one.name for one in version.fields if one.is_secret}
    return {name: value for name, value in settings.items() if name not in secret}


def _present(found: CurrentSettings) -> Mapping[str, Any]:
    """The tip counts: what somebody wrote there by hand is not overwritten unseen."""
    return {} if found.problem else found.values


def _has_same(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (name in one) == (name in other) and is_same(one.get(name), other.get(name))
