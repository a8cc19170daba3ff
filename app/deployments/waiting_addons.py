"""The addons' part of what waits: installed and removed ones, versions, settings by their labels,
and what they bring."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext as _

from app.addons import api
from app.addons.stored import StoredAddon, addon_names, form_fields
from app.deployments.models import Release
from app.runtime.processes import Process


@dataclass(frozen=True)
class AddonSide:
    """Addons on one side of a comparison. Settings hold no secrets."""

    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values by name."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Package names by variable."""
    commands: Sequence[tuple[str, str, str]] = ()
    """Package, label and command."""
    processes: Sequence[Process] = ()


@dataclass(frozen=True)
class AddonDifference:
    """One difference in words: of a setting its label, otherwise of the addon itself."""

    name: str
    before: str | None
    after: str | None
    is_setting: bool


def side_of_release(release: Release) -> AddonSide:
    """What a release says; releases from before there were addons say nothing."""
    told = release.contributions
    owners = told.get("variables", {})
    values = release.variables
    return AddonSide(
        told.get("addons", {}),
        told.get("settings", {}),
        {name: values[name] for name in owners if name in values},
        owners,
        [(package, label, command) for package, label, command in told.get("commands", [])],
        [
            Process(name, command, count, package)
            for package, name, command, count in told.get("brought_processes", [])
        ],
    )


def side_after(
    before: AddonSide,
    moved: Sequence[StoredAddon],
    fields: Mapping[str, Mapping[str, api.Field]],
    own_names: Collection[str],
) -> AddonSide:
    """What a deployment of Test's branch would bring, as far as it is known without asking: the
    present release, and what the panel changed since. What people write into the files by hand is
    told by the commits that wait."""
    after = AddonSide(
        dict(before.versions),
        dict(before.settings),
        dict(before.variables),
        dict(before.owners),
        list(before.commands),
        list(before.processes),
    )
    for row in moved:
        after = _moved(after, row, fields.get(row.package_name, {}))
    return replace(
        after,
        variables={name: text for name, text in after.variables.items() if name not in own_names},
        owners={name: owner for name, owner in after.owners.items() if name not in own_names},
    )


def _moved(side: AddonSide, row: StoredAddon, fields: Mapping[str, api.Field]) -> AddonSide:
    """A variable that a field names follows the form. Of another one, which may differ by
    environment, the present value is taken to stay."""
    package = row.package_name
    others = AddonSide(
        {name: number for name, number in side.versions.items() if name != package},
        {name: values for name, values in side.settings.items() if name != package},
        {name: text for name, text in side.variables.items() if side.owners[name] != package},
        {name: owner for name, owner in side.owners.items() if owner != package},
        [command for command in side.commands if command[0] != package],
        [process for process in side.processes if process.addon != package],
    )
    if row.is_removed:
        return others
    named = {one.variable for one in fields.values()}
    stays = {
        name: text
        for name, text in side.variables.items()
        if side.owners[name] == package and name not in named
    }
    variables = {**row.variables, **stays}
    return AddonSide(
        {**others.versions, package: row.version},
        {**others.settings, package: row.settings},
        {**others.variables, **variables},
        {**others.owners, **dict.fromkeys(variables, package)},
        [*others.commands, *((package, label, command) for label, command in row.commands)],
        [
            *others.processes,
            *(Process(one.name, one.command, one.count, package) for one in row.processes),
        ],
    )


def differences(
    before: AddonSide, after: AddonSide, application_id: int
) -> Iterator[AddonDifference]:
    """All of addons themselves, then of settings of those that stay; values in words."""
    packages = {*before.versions, *after.versions}
    changed = {
        name for name in packages if before.settings.get(name) != after.settings.get(name)
    } | {name for name in packages if before.versions.get(name) != after.versions.get(name)}
    if not changed:
        return
    names, forms = addon_names(changed), form_fields(application_id, changed)
    for package in sorted(changed):
        old, new = before.versions.get(package), after.versions.get(package)
        name = names.get(package, package)
        if old != new:
            yield AddonDifference(name, _version(old), _version(new), is_setting=False)
        if old is None or new is None:
            continue
        fields = forms.get(package, {})
        settings = before.settings.get(package, {}), after.settings.get(package, {})
        known = {*settings[0], *settings[1]}
        for key in [*(key for key in fields if key in known), *sorted(known - fields.keys())]:
            one = fields.get(key)
            was, becomes = (_words(one, side.get(key)) for side in settings)
            if was != becomes:
                label = one.label if one else key
                title = _("%(setting)s (%(addon)s)", setting=label, addon=name)
                yield AddonDifference(title, was, becomes, is_setting=True)


def _version(number: str | None) -> str | None:
    return None if number is None else str(_("version %(number)s", number=number))


def _words(one: api.Field | None, value: Any) -> str:
    """A setting as the form shows it."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return dict(one.choices).get(str(value), str(value)) if one else str(value)
