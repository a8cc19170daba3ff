"""What an addon that comes with Moonbase answers, and its files in use."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import msgspec

from app.addons import api
from app.addons.answers import read_contribution
from app.addons.builtin import FOLDER, Plugin, find_plugin
from app.addons.contributions import Contribution, Part, collect, with_fields
from app.addons.questions import CONTRIBUTIONS


def plugin_of(name: str) -> Plugin:
    """The addon; fails when it could not be loaded."""
    found = find_plugin(name)
    assert found is not None, name
    return found


def initials(name: str) -> dict[str, api.Value]:
    """The form as it is when nobody has filled it; secrets are set."""
    return {row.name: True if row.is_secret else row.initial for row in plugin_of(name).fields}


def contribution_of(
    name: str, stage: str = "test", files: frozenset[str] = frozenset(), **settings: api.Value
) -> Contribution:
    """All it answers with these settings on top of the initial ones, held to its rights."""
    plugin, given = plugin_of(name), initials(name) | settings
    site = api.Site("Garden", "garden", stage, given, files, ("django", name))
    said = {name: plugin.ask(hook, site=site) or () for name, hook in CONTRIBUTIONS.items()}
    answered = read_contribution(msgspec.to_builtins(said))
    whole = with_fields(answered, plugin.fields, given)
    collect([Part(name, plugin.info.version, plugin.info.rights, whole)])
    return whole


def clean(name: str, **settings: api.Value) -> Mapping[str, Any]:
    """What `clean_settings` keeps; raises `SettingsError`."""
    kept: Mapping[str, Any] = plugin_of(name).ask(
        "clean_settings", settings=initials(name) | settings
    )
    return kept


def module_of(name: str, file: str) -> ModuleType:
    """A file that the addon puts into a site, imported here."""
    path = FOLDER / name.replace("-", "_") / "site-files" / file
    spec = importlib.util.spec_from_file_location(
        f"site_{path.parent.parent.name}_{path.stem}", path
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
