"""Addons that come with Moonbase: folders of `addons/`, and packages with an entry point.

A new one is a folder with `plugin.py`; nothing else names it. Their code is part of the panel, so
it runs in its processes. All versions of one are answered by the code that is here: the version
before an upgrade of Moonbase exists as a row only.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pluggy
from sqlalchemy import select

from app.addons import api
from app.addons.models import Addon, AddonVersion, Audience, Channel, PackageKind
from app.addons.packages.names import fold_name
from app.addons.packages.readme import render_readme
from app.extensions import db, now

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[2] / "addons"
ENTRY_POINTS = "moonbase.addons"
PLUGIN = "plugin.py"
README = "README.md"
SUPERSEDED = "A newer version came with Moonbase."


@dataclass(frozen=True)
class Plugin:
    """One addon that runs in this process."""

    info: api.AddonInfo
    fields: tuple[api.Field, ...]
    readme: str
    manager: pluggy.PluginManager
    """It alone is registered there."""

    def ask(self, hook: str, **question: object) -> Any | None:
        """The answer of one hook of `app.addons.api.Hooks`; None when the addon has not got it.
        What the addon raises is let through."""
        answers: list[Any] = getattr(self.manager.hook, hook)(**question)
        return answers[0] if answers else None


@dataclass(frozen=True)
class Found:
    """All that was found, and a sentence for each that cannot be used."""

    plugins: Mapping[str, Plugin]
    failures: tuple[str, ...]


def list_plugins() -> tuple[Plugin, ...]:
    """All of them, by package name."""
    found = find_all(FOLDER).plugins
    return tuple(found[name] for name in sorted(found))


def find_plugin(package_name: str) -> Plugin | None:
    """The addon of that name, or None when it does not come with Moonbase."""
    return find_all(FOLDER).plugins.get(package_name)


@cache
def find_all(folder: Path) -> Found:
    """Load the plugins of `folder` and those of installed packages, once in a process. One that
    is broken is reported and left out: it must not keep the panel from starting."""
    plugins: dict[str, Plugin] = {}
    failures: list[str] = []
    for place, load in _places(folder):
        try:
            plugin = _plugin_of(load(), place)
            if plugin.info.package_name in plugins:
                raise ValueError(f"the name {plugin.info.package_name} is taken")
            plugins[plugin.info.package_name] = plugin
        except Exception as error:
            failures.append(f"The addon {place} cannot be used: {type(error).__name__}: {error}")
            logger.error("%s", failures[-1], exc_info=error)
    return Found(plugins, tuple(failures))


def _places(folder: Path) -> Iterator[tuple[str, Any]]:
    """Where each is found, and how it is loaded."""
    for path in sorted(folder.glob(f"*/{PLUGIN}")):
        yield f"addons/{path.parent.name}", lambda path=path: _import_file(path)
    for point in entry_points(group=ENTRY_POINTS):
        yield f"{point.name} ({point.value})", point.load


def _import_file(path: Path) -> ModuleType:
    name = f"moonbase_addon_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _plugin_of(module: ModuleType, place: str) -> Plugin:
    manager = pluggy.PluginManager(api.PROJECT)
    manager.add_hookspecs(api.Hooks)
    manager.register(module)
    manager.check_pending()
    info = _one(manager.hook.addon_info())
    if not isinstance(info, api.AddonInfo):
        raise TypeError("addon_info gives no AddonInfo")
    folder = Path(module.__file__ or "").parent
    if place.startswith("addons/") and info.package_name != folder.name.replace("_", "-"):
        raise ValueError(f"the folder of {info.package_name} has another name")
    fields = tuple(_one(manager.hook.settings_form()) or ())
    readme = folder / README
    return Plugin(info, fields, readme.read_text() if readme.is_file() else "", manager)


def _one(answers: list[Any]) -> Any | None:
    return answers[0] if answers else None


def publish_plugins(folder: Path = FOLDER) -> None:
    """Put them into the marketplace: an addon without an organisation, open to all, its version
    in Stable. Rows that say so already stay as they are; a name an organisation took before is
    left to it and reported."""
    for plugin in find_all(folder).plugins.values():
        info = plugin.info
        addon = db.session.scalar(select(Addon).where(Addon.package_name == info.package_name))
        folded = fold_name(info.package_name)
        alike = db.session.scalar(select(Addon).where(Addon.folded_name == folded))
        if (addon or alike) and (addon is not alike or (alike and alike.organisation_id)):
            logger.error("the name of the built-in addon %s is taken here", info.package_name)
            continue
        if addon is None:
            addon = Addon(package_name=info.package_name, folded_name=folded)
            db.session.add(addon)
        addon.name, addon.summary, addon.licence = info.name, info.summary, info.licence
        addon.author, addon.categories = info.author, list(info.categories)
        addon.audience = Audience.PUBLIC
        _publish_version(addon, plugin)


def _publish_version(addon: Addon, plugin: Plugin) -> None:
    """The version this code is; those before it are kept for the sites that have them."""
    info = plugin.info
    for older in addon.versions:
        if older.version != info.version and older.yanked_at is None:
            older.yanked_at, older.yank_reason = now(), SUPERSEDED
    row = next((row for row in addon.versions if row.version == info.version), None)
    if row is None:
        row = AddonVersion(version=info.version, kind=PackageKind.PLUGIN)
        addon.versions.append(row)
    row.channel, row.changes = Channel.STABLE, info.changes
    row.yanked_at, row.yank_reason = None, ""
    row.form = msgspec.to_builtins(plugin.fields)
    row.rights = msgspec.to_builtins(info.rights)
    row.facts = {"installed_apps": [], "needs": list(info.needs), "has_package": False}
    if (row.texts or {}).get("readme") != plugin.readme:
        row.texts = {
            "readme": plugin.readme,
            "readme_html": render_readme(plugin.readme, README),
            "licence": info.licence,
        }
