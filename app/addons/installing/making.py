"""From a change that is wanted to its plan: asking the addons, drafting the files, the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from app.adapters.git import RepositoryStore
from app.addons import api, queries
from app.addons.answers import Validated
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
    site_told,
)
from app.addons.installing.drafting import Draft
from app.addons.installing.plan import CurrentSettings, Plan
from app.addons.installing.tip import Tip, read_tip
from app.addons.models import AddonVersion, ChangeKind, InstalledAddon
from app.addons.project import settings_file
from app.addons.project.ordering import normalise
from app.addons.rights import read_rights, widened
from app.applications.models import Application


@dataclass(frozen=True)
class Found:
    """The site as it is: the tip, and the package names of its addons by the number of the row."""

    tip: Tip
    names: Mapping[int, str]

    def settings(self, version: AddonVersion) -> CurrentSettings:
        return self.tip.settings(version.addon.package_name)


@dataclass(frozen=True)
class Wanted:
    """One change, before its files are drafted. `installed` is the row there is already, also
    that of an addon which was removed once."""

    kind: ChangeKind
    application: Application
    version: AddonVersion
    installed: InstalledAddon | None
    site: Found
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    secrets: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    heard: Validated | None = None
    """What the addon has said when it checked `after`."""

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


def make_plan(wanted: Wanted, store: RepositoryStore) -> Plan:
    """Ask the addons, draft the files, put it into words."""
    is_removal = wanted.kind == ChangeKind.REMOVE
    addons = _names(wanted)
    names = own_names(wanted.tip, wanted.version, wanted.secrets)
    asked = Asked(wanted.version, wanted.after, wanted.agreed)
    answer = Answer() if is_removal else ask(asked, wanted.tip, addons, names, wanted.heard)
    # Not before: once it was asked, all rows are read again, one by one.
    if wanted.installed is not None:
        queries.read_again(wanted.installed, with_texts=True)
    rows = queries.list_contributing(wanted.application.id)
    rows = [row for row in rows if row.addon_id != wanted.version.addon_id]
    old = read_answer(wanted.installed.contributed if wanted.installed else {})
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
        repository=wanted.tip.key,
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
    wanted: Wanted, parts: Sequence[Part], answer: Answer, old: Answer, store: RepositoryStore
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


def _sentences(wanted: Wanted, old: Answer, new: Answer) -> tuple[str, ...]:
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


def read_site(application: Application, version: AddonVersion, store: RepositoryStore) -> Found:
    """Read it; raises `Invalid` when Test is in the trash."""
    named = queries.list_installed_names(application.id)
    built_in = [one.package_name for one in named if one.is_built_in]
    tip = read_tip(application, version.addon.package_name, store, built_in)
    return Found(tip, {one.id: one.package_name for one in named})


def told_before(wanted: Wanted) -> api.Site:
    """What the addon's hooks would be told if nothing but its secrets changed."""
    names = own_names(wanted.tip, wanted.version, wanted.secrets)
    return site_told(wanted.version, wanted.before, wanted.tip, _names(wanted), names)


def _names(wanted: Wanted) -> list[str]:
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


def _rights_to_consent(wanted: Wanted) -> api.Rights | None:
    if wanted.kind not in (ChangeKind.INSTALL, ChangeKind.UPGRADE):
        return None
    agreed = api.Rights()
    if wanted.is_there and wanted.installed is not None:
        agreed = read_rights(wanted.installed.consented)
    return widened(agreed, read_rights(wanted.version.rights))


def _missing(wanted: Wanted, draft: Draft) -> tuple[str, ...]:
    """What it needs and the site has not got, neither from here nor of its own."""
    needs: list[str] = wanted.version.facts.get("needs", [])
    listed = settings_file.listed_names(draft.get(settings_file.PATH) or b"") if needs else ()
    there = {normalise(name) for name in (*listed, *wanted.site.names.values())}
    return tuple(name for name in needs if normalise(name) not in there)
