"""What a site keeps of an addon: all below `addons/<name>/`, and what is copied once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.adapters.git.commands import is_valid_path
from app.addons import api
from app.errors import Invalid

FOLDER = "addons/"
OWN_FILES = ("addon.json", "aldryn_config.py", "settings.json")
_CLOSED = ("addons/", "addons-dev/", ".moonbase/", ".git/", ".github/", ".gitlab-ci.yml/")
"""Where no addon puts a file: into another addon, or where the platform, or a service that builds
from the repository, would obey it."""


@dataclass(frozen=True)
class Package:
    """One version of an addon, as far as its files go. `configuration` is the source of
    `aldryn_config.py`, empty when there is none; `templates` are texts by path below the
    `templates` folder of the inner module."""

    name: str
    version: str
    addon_json: str = ""
    configuration: str = ""
    inner_name: str = ""
    templates: Mapping[str, str] | None = None


def folder_of(name: str) -> str:
    return f"{FOLDER}{name}/"


def settings_path(name: str) -> str:
    return f"{FOLDER}{name}/settings.json"


def addon_files(package: Package) -> dict[str, bytes | None]:
    """`addon.json`, which says the version as well, and `aldryn_config.py`; None: not there."""
    folder = folder_of(package.name)
    configuration = package.configuration.encode(errors="surrogateescape") or None
    return {
        f"{folder}addon.json": _addon_json(package),
        f"{folder}aldryn_config.py": configuration,
    }


def version_in(addon_json: bytes | None) -> str:
    """Which version a commit has; empty when its file does not say so."""
    try:
        found = json.loads((addon_json or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    version = found.get("version", "") if isinstance(found, dict) else ""
    return version if isinstance(version, str) else ""


def template_files(package: Package, paths: Collection[str]) -> dict[str, bytes]:
    """Templates for the site to change, where it has none of that path. Only of a package whose
    inner module has its name, and only those of that module."""
    inner = package.name.replace("-", "_")
    if package.inner_name != inner:
        return {}
    wanted = {
        f"templates/{path}": text.encode(errors="surrogateescape")
        for path, text in (package.templates or {}).items()
        if path.startswith(f"{inner}/")
    }
    return {path: text for path, text in wanted.items() if is_free(path, paths)}


def once_files(files: Iterable[api.File], paths: Collection[str]) -> dict[str, bytes]:
    """Files of an addon for the first installation, where there is none of that path."""
    return {
        file.path: _content(file)
        for file in files
        if not file.is_managed and is_free(file.path, paths)
    }


def managed_files(name: str, files: Iterable[api.File]) -> dict[str, bytes]:
    """Files of an addon below its folder, rewritten with each change."""
    return {file.path: _content(file) for file in files if file.is_managed}


def check_files(name: str, files: Iterable[api.File]) -> None:
    """Raise `Invalid`, naming the addon, for a file in a place that is not the addon's to fill."""
    for file in files:
        folder = folder_of(name)
        if file.is_managed:
            own = {f"{folder}{own}" for own in OWN_FILES}
            is_right = file.path.startswith(folder) and file.path not in own
        else:
            is_right = not f"{file.path.casefold()}/".startswith(_CLOSED)
        if not is_right or not is_valid_path(file.path):
            raise Invalid(f"The addon “{name}” may not write the file “{file.path[:200]}”.")


def is_free(path: str, paths: Collection[str]) -> bool:
    """Whether `path` can be made: nothing is there, no folder, and no file in place of a folder
    above it."""
    parts = path.split("/")
    above = {"/".join(parts[:number]) for number in range(1, len(parts))}
    taken = path in paths or any(other.startswith(f"{path}/") for other in paths)
    return is_valid_path(path) and not taken and not above & set(paths)


def _addon_json(package: Package) -> bytes:
    try:
        found: Any = json.loads(package.addon_json or "{}")
    except ValueError:
        found = {}
    about = found if isinstance(found, dict) else {}
    about = {"package-name": package.name, **about, "version": package.version}
    return (json.dumps(about, indent=4, sort_keys=True) + "\n").encode()


def _content(file: api.File) -> bytes:
    return file.text.encode(errors="surrogateescape")
