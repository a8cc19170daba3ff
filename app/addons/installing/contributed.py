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
    names = set(list_names(tip.environment.id))
    for one in version.fields:
        if one.name in secrets:
            (names.discard if secrets[one.name] is None else names.add)(one.variable)
    return names


def ask(asked: Asked, tip: Tip, addons: Sequence[str], names: set[str]) -> Answer:
    """The answer of one addon. `addons` are those of the site, in the order of installation."""
    fields = asked.version.fields
    hold_secrets_to_rights(asked.version.addon.package_name, fields, asked.rights)
    settings = settings_for_hooks(fields, asked.settings, names)
    application = tip.environment.application
    site = api.Site(application.name, application.slug, "", settings, tip.top, tuple(addons))
    is_plugin = asked.version.kind == PackageKind.PLUGIN
    found = contribute(asked.version, site) if is_plugin else Contribution()
    managed = tuple(file.path for file in found.files if file.is_managed)
    return Answer(with_fields(found, fields, settings), managed)


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
