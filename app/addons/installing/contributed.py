"""What the addons of a site answer, for the repository: which is the same for all environments.

The addon that is changed is asked. Of the others, those that come with Moonbase are asked as well,
for that costs nothing; of uploaded ones the last answer is kept, so that saving a form does not
take longer with each addon a site has. At a deployment all are asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from app.addons import api
from app.addons.answers import Validated
from app.addons.collecting import settings_for_hooks
from app.addons.contributions import (
    Contribution,
    Part,
    collect,
    hold_secrets_to_rights,
    with_fields,
)
from app.addons.installing.tip import Tip
from app.addons.models import AddonVersion, InstalledAddon, PackageKind
from app.addons.project.settings_json import is_same
from app.addons.questions import contribute
from app.addons.rights import read_rights
from app.errors import PanelError
from app.variables.queries import list_names


@dataclass(frozen=True)
class Answer:
    """`managed` are the paths the addon keeps below its folder; the texts are not stored."""

    contribution: Contribution = field(default_factory=Contribution)
    managed: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """As `InstalledAddon.contributed` keeps it; `{}`: nothing."""
        if self == Answer():
            return {}
        kept: dict[str, Any] = msgspec.to_builtins(
            {"answer": replace(self.contribution, files=()), "managed": self.managed}
        )
        return kept


@dataclass(frozen=True)
class Asked:
    """One addon as it is asked; `rights` are those people agreed to."""

    version: AddonVersion
    settings: Mapping[str, Any]
    rights: api.Rights


def read_answer(stored: Mapping[str, Any]) -> Answer:
    """From `InstalledAddon.contributed`; `{}`: nothing."""
    if not stored:
        return Answer()
    contribution = msgspec.convert(stored["answer"], Contribution, strict=True)
    return Answer(contribution, tuple(stored["managed"]))


def own_names(tip: Tip, version: AddonVersion, secrets: Mapping[str, str | None]) -> set[str]:
    """Variables people have set on Test, with what `secrets` changes about them."""
    names = set(list_names(tip.environment_id))
    for one in version.fields:
        if one.name in secrets:
            (names.discard if secrets[one.name] is None else names.add)(one.variable)
    return names


def site_told(
    version: AddonVersion,
    settings: Mapping[str, Any],
    tip: Tip,
    addons: Sequence[str],
    names: set[str],
) -> api.Site:
    """What the hooks of `version` are told. `addons` are those of the site, in the order of
    installation; of a secret the variable is among `names` when it is set."""
    told = settings_for_hooks(version.fields, settings, names)
    return api.Site(tip.application_name, tip.slug, "", told, tip.top, tuple(addons))


def ask(
    asked: Asked,
    tip: Tip,
    addons: Sequence[str],
    names: set[str],
    heard: Validated | None = None,
) -> Answer:
    """The answer of one addon; see `site_told`. What it has said when it checked its settings is
    taken, if it was told the same then."""
    version = asked.version
    fields = version.fields
    hold_secrets_to_rights(version.addon.package_name, fields, asked.rights)
    site = site_told(version, asked.settings, tip, addons, names)
    if version.kind != PackageKind.PLUGIN:
        found = Contribution()
    elif heard and heard.told and heard.contribution and _is_same_site(heard.told, site):
        found = heard.contribution
    else:
        found = contribute(version, site)
    managed = tuple(file.path for file in found.files if file.is_managed)
    return Answer(with_fields(found, fields, site.settings), managed)


def _is_same_site(one: api.Site, other: api.Site) -> bool:
    """`True` and `1` are one to Python, and two settings to a hook."""
    is_same_place = replace(one, settings={}) == replace(other, settings={})
    return is_same_place and is_same(dict(one.settings), dict(other.settings))


def parts_of_others(
    rows: Sequence[InstalledAddon], tip: Tip, addons: Sequence[str], names: set[str]
) -> list[Part]:
    """What other addons of the site, those of `queries.list_contributing`, bring."""
    return [
        Part(
            row.addon.package_name,
            row.version.version,
            read_rights(row.consented),
            _answer_of_other(row, tip, addons, names).contribution,
        )
        for row in rows
    ]


def check_together(parts: Sequence[Part]) -> None:
    """Raise `AddonConflict` when two want the same, `Invalid` for what nobody agreed to."""
    collect(parts)


def _answer_of_other(
    row: InstalledAddon, tip: Tip, addons: Sequence[str], names: set[str]
) -> Answer:
    kept = read_answer(row.contributed)
    if not row.addon.is_built_in:
        return kept
    settings = tip.settings_or(row.addon.package_name, row.settings)
    try:
        return ask(Asked(row.version, settings, read_rights(row.consented)), tip, addons, names)
    except PanelError:  # that one is in trouble, not this one
        return kept
