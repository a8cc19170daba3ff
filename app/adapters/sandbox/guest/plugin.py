"""Packages with a `plugin.py`: the hooks of `app.addons.api`, and no others."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from enum import Enum
from types import ModuleType
from typing import Any

import pluggy

from app.adapters.sandbox.guest.asking import Asked, Refused
from app.adapters.sandbox.guest.loading import ask, load, traceback_of
from app.adapters.sandbox.guest.plain import as_setting, as_text
from app.addons import api

FILE = "plugin.py"
CONTRIBUTIONS: Mapping[str, type] = {
    "variables": api.Variable,
    "requirements": api.Requirement,
    "dockerfile": api.Fragment,
    "release_commands": api.ReleaseCommand,
    "services": api.Service,
    "processes": api.Process,
    "navigation": api.NavigationItem,
    "files": api.File,
}
"""What `contribute_…` gives, by the end of the hook's name."""
_KEYS = {"dockerfile": "fragments"}
"""Where an answer calls it something else."""
_DEPTH = 8
_SLOW_SECONDS = 1.0
"""Who needs longer to check settings is asked by itself what it adds: each has all its time."""


def describe(asked: Asked) -> dict[str, Any]:
    """`info` and `fields` as JSON of `api.AddonInfo` and `api.Field`, and `warnings`."""
    hooks = _hooks(asked.source)
    info = _one(asked, hooks, "addon_info")
    if not isinstance(info, api.AddonInfo):
        raise Refused("nonsense", f"{FILE} needs the hook “addon_info”, which gives an AddonInfo.")
    first, second = (_several(asked, hooks, "settings_form", api.Field) for _ in range(2))
    if first != second:
        raise Refused("nonsense", "The form has other fields each time it is asked for.")
    return {"info": _plain(info), "fields": first, "warnings": []}


def validate(asked: Asked) -> dict[str, Any]:
    """`settings`, `errors` by field (`""`: the form) and `traceback`, for `payload["settings"]`.

    With a `payload["site"]`, an `api.Site` as it is without the new settings, and settings that are
    fine: also `contribution`, what `contribute` gives for the site with them, but for those that
    `payload["secrets"]` names. It is left out when a hook fails: `contribute` then says why.
    """
    began = time.monotonic()
    checked = _clean(asked)
    is_slow = time.monotonic() - began > _SLOW_SECONDS
    if "site" in asked.payload and not checked["errors"] and not is_slow:
        found = _contribution_with(asked, checked["settings"])
        return checked if found is None else {**checked, "contribution": found}
    return checked


def _clean(asked: Asked) -> dict[str, Any]:
    hooks = _hooks(asked.source)
    given = dict(asked.payload.get("settings") or {})
    if not hooks.clean_settings.get_hookimpls():
        return {"settings": given, "errors": {}, "traceback": ""}
    try:
        cleaned = _last(hooks.clean_settings(settings=given))
        cleaned = given if cleaned is None else dict(cleaned)
    except MemoryError:
        raise
    except api.SettingsError as error:
        errors = {as_text(name): as_text(said) for name, said in error.sentences.items()}
        return {"settings": {}, "errors": errors, "traceback": ""}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is an error of the form
        sentence = "The addon could not check these values, because of a mistake in its own code."
        trace = traceback_of(error, asked.source, FILE)
        return {"settings": {}, "errors": {"": sentence}, "traceback": trace}
    settings = {str(name): as_setting(str(name), value) for name, value in cleaned.items()}
    return {"settings": settings, "errors": {}, "traceback": ""}


def _contribution_with(asked: Asked, cleaned: Mapping[str, Any]) -> dict[str, Any] | None:
    """The module is loaded anew: what `clean_settings` left in a global is not there."""
    site = dict(asked.payload["site"])
    secret = frozenset(asked.payload.get("secrets") or ())
    new = {name: value for name, value in cleaned.items() if name not in secret}
    site["settings"] = {**(site.get("settings") or {}), **new}
    try:
        found = contribute(asked._replace(payload={"site": site}))
        json.dumps(found, allow_nan=False)
    except (Refused, MemoryError, ValueError, TypeError, RecursionError):
        return None
    return found


def contribute(asked: Asked) -> dict[str, Any]:
    """Lists of JSON of the api's classes by kind, for `payload["site"]`, an `api.Site` as JSON."""
    hooks = _hooks(asked.source)
    words = dict(asked.payload["site"])
    words["files"] = frozenset(words.get("files") or ())
    words["addons"] = tuple(words.get("addons") or ())
    site = api.Site(**words)
    return {
        _KEYS.get(name, name): _several(asked, hooks, f"contribute_{name}", kind, site=site)
        for name, kind in CONTRIBUTIONS.items()
    }


def _hooks(source: str) -> Any:
    manager = pluggy.PluginManager(api.PROJECT)
    manager.add_hookspecs(api.Hooks)
    module = load(source, FILE)
    unknown = [name for name in _marked(manager, module) if not hasattr(api.Hooks, name)]
    if unknown:
        names = ", ".join(f"“{name[:80]}”" for name in unknown)
        raise Refused("nonsense", f"{FILE} has a hook that Moonbase does not know: {names}.")
    try:
        manager.register(module)
    except pluggy.PluginValidationError as error:
        raise Refused(
            "nonsense", f"{FILE} has a hook with other arguments than it is given.", str(error)
        ) from None
    return manager.hook


def _marked(manager: pluggy.PluginManager, module: ModuleType) -> list[str]:
    return [name for name in dir(module) if manager.parse_hookimpl_opts(module, name) is not None]


def _one(asked: Asked, hooks: Any, name: str, **words: Any) -> Any:
    hook = getattr(hooks, name)
    return ask(lambda: _last(hook(**words)), f"The hook “{name}” failed", asked.source, FILE)


def _several(asked: Asked, hooks: Any, name: str, kind: type, **words: Any) -> list[Any]:
    given = _one(asked, hooks, name, **words)
    items = list(given) if isinstance(given, tuple | list) else [] if given is None else [given]
    for item in items:
        if not isinstance(item, kind):
            raise Refused(
                "nonsense",
                f"The hook “{name}” gave a {type(item).__name__[:80]} where it has to give "
                f"{kind.__name__}.",
            )
    return [_plain(item) for item in items]


def _last(results: Any) -> Any:
    """One module, so one result; None without an implementation."""
    return results[-1] if isinstance(results, list) and results else None


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise Refused("nonsense", "What a hook gave is nested too deeply, or contains itself.")
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _plain(getattr(value, name), depth + 1) for name in names}
    if isinstance(value, Mapping):
        return {as_text(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    raise Refused("nonsense", f"A hook gave a {type(value).__name__[:80]}, which is no JSON.")
