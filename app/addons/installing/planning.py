"""Plans: what an installation, a save, an upgrade, an undo or a removal would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from app.adapters.git import RepositoryStore
from app.addons import api, queries
from app.addons.contributions import Part
from app.addons.installing import drafting, words
from app.addons.installing.contributed import (
    Answer,
    Asked,
    ask,
    check_together,
    own_names,
    parts_of_others,
    read_answer,
)
from app.addons.installing.drafting import Draft
from app.addons.installing.plan import CurrentSettings, Plan
from app.addons.installing.reasons import (
    refuse_changed_again,
    refuse_needed,
    refuse_no_longer_valid,
    refuse_overtaken,
    refuse_removed,
    refuse_yanked,
)
from app.addons.installing.tip import Tip, read_tip
from app.addons.models import AddonChange, AddonVersion, ChangeKind, InstalledAddon
from app.addons.project import settings_file
from app.addons.project.ordering import normalise
from app.addons.project.settings_json import is_same
from app.addons.rights import read_rights, widened
from app.applications.models import Application
from app.errors import Conflict, Invalid


@dataclass(frozen=True)
class _Found:
    """The site as it is: the tip, and the other addons. `names` are package names by the number
    of the row; `rows` are those of addons that may bring anything."""

    tip: Tip
    names: Mapping[int, str]
    rows: Sequence[InstalledAddon]

    def settings(self, version: AddonVersion) -> CurrentSettings:
        return self.tip.settings(version.addon.package_name)


@dataclass(frozen=True)
class _Wanted:
    """One change, before its files are drafted. `installed` is the row there is already, also
    that of an addon which was removed once."""

    kind: ChangeKind
    application: Application
    version: AddonVersion
    installed: InstalledAddon | None
    site: _Found
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    secrets: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def tip(self) -> Tip:
        return self.site.tip

    @property
    def name(self) -> str:
        return self.version.addon.package_name

    @property
    def version_before(self) -> str:
        return self.installed.version.version if self.is_there and self.installed else ""

    @property
    def is_there(self) -> bool:
        return self.installed is not None and self.installed.removed_at is None

    @property
    def is_new(self) -> bool:
        """Whether people are asked for everything: at an installation."""
        return self.kind == ChangeKind.INSTALL

    @property
    def agreed(self) -> api.Rights:
        """What people agreed to, or will by confirming."""
        if self.kind in (ChangeKind.INSTALL, ChangeKind.UPGRADE) or self.installed is None:
            return read_rights(self.version.rights)
        return read_rights(self.installed.consented)


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
    site = _read(application, version, store)
    found = site.settings(version)
    after = {**_initials(version), **found.values, **settings}
    notes = (found.problem,) if found.problem else ()
    after = _without_secrets(version, after)
    return _plan(
        _Wanted(
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
    refuse_removed(installed)
    version = installed.version
    site = _read(installed.application, version, store)
    found = site.settings(version)
    if found.problem and seen != found.seen:
        raise Invalid(found.problem)
    if seen and seen != found.seen:
        refuse_overtaken(installed, found)
    before = _present(found)
    after = _without_secrets(version, {**before, **settings})
    wanted = _Wanted(
        ChangeKind.SAVE, installed.application, version, installed, site, before, after, secrets
    )
    return _plan(wanted, store)


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
    site = _read(installed.application, version, store)
    found = site.settings(version)
    if found.problem:
        raise Invalid(found.problem)
    before = _present(found)
    after = _without_secrets(version, {**_initials(version), **before})
    wanted = _Wanted(
        ChangeKind.UPGRADE, installed.application, version, installed, site, before, after
    )
    return _plan(wanted, store)


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
    site = _read(installed.application, installed.version, store)
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
    wanted = _Wanted(
        ChangeKind.UNDO,
        installed.application,
        installed.version,
        installed,
        site,
        present,
        _without_secrets(installed.version, after),
        notes=tuple(notes),
    )
    return _plan(wanted, store)


def plan_remove(installed: InstalledAddon, store: RepositoryStore) -> Plan:
    """Take it out of the site. Templates and files that were copied stay, for they are the site's
    own now. Raises `Conflict` when another installed addon needs it."""
    refuse_removed(installed)
    refuse_needed(installed)
    site = _read(installed.application, installed.version, store)
    before = _present(site.settings(installed.version))
    secret = [one.label or one.name for one in installed.version.fields if one.is_secret]
    wanted = _Wanted(
        ChangeKind.REMOVE,
        installed.application,
        installed.version,
        installed,
        site,
        before,
        {},
        notes=(words.copies_stay(), *map(words.secrets_kept, secret)),
    )
    return _plan(wanted, store)


def _plan(wanted: _Wanted, store: RepositoryStore) -> Plan:
    """Ask the addons, draft the files, put it into words."""
    rows = [row for row in wanted.site.rows if row.addon_id != wanted.version.addon_id]
    is_removal = wanted.kind == ChangeKind.REMOVE
    addons = _names(wanted)
    names = own_names(wanted.tip, wanted.version, wanted.secrets)
    old = read_answer(wanted.installed.contributed if wanted.installed else {})
    asked = Asked(wanted.version, wanted.after, wanted.agreed)
    answer = Answer() if is_removal else ask(asked, wanted.tip, addons, names)
    others = parts_of_others(rows, wanted.tip, addons, names)
    own = Part(wanted.name, wanted.version.version, wanted.agreed, answer.contribution)
    parts = others if is_removal else _in_order(own, others, addons)
    if not is_removal:
        check_together(parts)
    draft = _draft(wanted, parts, answer, old, store)
    return Plan(
        kind=wanted.kind,
        application=wanted.application,
        addon=wanted.version.addon,
        version=wanted.version,
        installed=wanted.installed,
        version_before=wanted.version_before,
        branch=wanted.tip.branch,
        tip=wanted.tip.commit,
        settings_before=wanted.before,
        settings_after=wanted.after,
        secrets=dict(wanted.secrets),
        files=draft.changes,
        originals={path: wanted.tip.contents.get(path) for path in draft.changes},
        sentences=_sentences(wanted, old, answer),
        notes=(*wanted.notes, *draft.notes),
        rights=_rights_to_consent(wanted),
        missing=() if is_removal else _missing(wanted, draft),
        contributed=answer.stored(),
    )


def _draft(
    wanted: _Wanted, parts: Sequence[Part], answer: Answer, old: Answer, store: RepositoryStore
) -> Draft:
    draft = Draft(wanted.tip)
    if wanted.kind == ChangeKind.REMOVE:
        drafting.take_out(draft, wanted.version, parts)
        drafting.refresh_dockerfile(draft, parts, wanted.name)
        return draft
    files = answer.contribution.files
    drafting.write_addon(draft, wanted.version, wanted.after)
    drafting.write_managed(draft, wanted.name, files, old.managed)
    if wanted.installed is None:
        drafting.write_once(draft, wanted.version, files, store)
    drafting.write_lists(draft, wanted.version, parts)
    drafting.refresh_dockerfile(draft, parts, wanted.name)
    return draft


def _sentences(wanted: _Wanted, old: Answer, new: Answer) -> tuple[str, ...]:
    fields = wanted.version.fields
    name, number = wanted.version.addon.name, wanted.version.version
    before = old.contribution if wanted.is_there else Answer().contribution
    changes = [
        *words.about_settings(words.Settings(fields, wanted.before, wanted.after)),
        *words.about_secrets(fields, wanted.secrets),
        *words.about_contribution(before, new.contribution),
    ]
    match wanted.kind:
        case ChangeKind.INSTALL:
            first = [_("%(name)s %(number)s is added to the site.", name=name, number=number)]
        case ChangeKind.UPGRADE:
            first = [
                _(
                    "%(name)s goes from version %(old)s to version %(new)s.",
                    name=name,
                    old=wanted.version_before,
                    new=number,
                )
            ]
        case ChangeKind.REMOVE:
            own = words.about_contribution(before, Answer().contribution)
            return (_("%(name)s is taken out of the site, with its settings.", name=name), *own)
        case _:
            first = []
    return (*first, *changes)


def _read(application: Application, version: AddonVersion, store: RepositoryStore) -> _Found:
    rows = queries.list_contributing(application.id)
    built_in = [row.addon.package_name for row in rows if row.addon.is_built_in]
    tip = read_tip(application, version.addon.package_name, store, built_in)
    return _Found(tip, queries.list_installed_names(application.id), rows)


def _names(wanted: _Wanted) -> list[str]:
    """Package names in the order of installation; one that comes back has its old place."""
    names = dict(wanted.site.names)
    if wanted.installed is None:
        return [*names.values(), wanted.name]
    if wanted.kind == ChangeKind.REMOVE:
        names.pop(wanted.installed.id, None)
    else:
        names[wanted.installed.id] = wanted.name
    return [names[number] for number in sorted(names)]


def _in_order(own: Part, others: Sequence[Part], addons: Sequence[str]) -> list[Part]:
    places = {name: number for number, name in enumerate(addons)}
    return sorted([own, *others], key=lambda part: places[part.package_name])


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


def _rights_to_consent(wanted: _Wanted) -> api.Rights | None:
    if wanted.kind not in (ChangeKind.INSTALL, ChangeKind.UPGRADE):
        return None
    agreed = api.Rights()
    if wanted.is_there and wanted.installed is not None:
        agreed = read_rights(wanted.installed.consented)
    return widened(agreed, read_rights(wanted.version.rights))


def _missing(wanted: _Wanted, draft: Draft) -> tuple[str, ...]:
    """What it needs and the site has not got, neither from here nor of its own."""
    needs: list[str] = wanted.version.facts.get("needs", [])
    listed = settings_file.listed_names(draft.get(settings_file.PATH) or b"") if needs else ()
    there = {normalise(name) for name in (*listed, *wanted.site.names.values())}
    return tuple(name for name in needs if normalise(name) not in there)
