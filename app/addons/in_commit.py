"""The addons a commit holds, read from its files: `addons/<name>/{addon.json,settings.json}`."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.addons.project import dockerfile, requirements, settings_json
from app.errors import Invalid

LARGEST_BYTES = 2 * 1024**2
"""Of a file that is read here; a form's settings have some kilobytes."""
LARGEST_TOTAL = 32 * 1024**2
"""Bytes of all of them: they are held in memory together."""
_ADDON_FILE = re.compile(r"addons/([^/]+)/(addon|settings)\.json")
_READ = (dockerfile.PATH, requirements.PATH, requirements.PINNED)


@dataclass(frozen=True)
class CommitFiles:
    """What is read of a commit: all paths, and the contents of those that tell of addons."""

    contents: Mapping[str, bytes]
    paths: frozenset[str]

    @property
    def top(self) -> frozenset[str]:
        """Files at the top of the repository."""
        return frozenset(path for path in self.paths if "/" not in path)


@dataclass(frozen=True)
class CommittedAddon:
    """One addon as the commit has it; `version` is empty where `addon.json` does not say it."""

    package_name: str
    version: str
    settings: Mapping[str, Any]


def read_files(archive: Path) -> CommitFiles:
    """Read the tar of a commit's tree; nothing is unpacked. `Invalid` for a file too large."""
    contents: dict[str, bytes] = {}
    paths: set[str] = set()
    total = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            path = os.path.normpath(member.name)
            if not member.isdir():
                paths.add(path)
            if not member.isfile() or not (path in _READ or _ADDON_FILE.fullmatch(path)):
                continue
            if member.size > LARGEST_BYTES:
                raise Invalid(f"The file {path} is larger than {LARGEST_BYTES // 1024**2} MB.")
            total += member.size
            if total > LARGEST_TOTAL:
                raise Invalid(
                    f"The files of all addons in the repository have more than "
                    f"{LARGEST_TOTAL // 1024**2} MB together."
                )
            content = tar.extractfile(member)
            contents[path] = content.read() if content else b""
    return CommitFiles(contents, frozenset(paths))


def read_addons(files: CommitFiles) -> Mapping[str, CommittedAddon]:
    """By package name. `Invalid` with the path of a file that is no JSON object."""
    found = {}
    for path in sorted(files.contents):
        match = _ADDON_FILE.fullmatch(path)
        if match is None or match[2] != "addon":
            continue
        described = _object(files, path)
        name = described.get("package-name")
        name = name if isinstance(name, str) and name else match[1]
        version = described.get("version")
        found[name] = CommittedAddon(
            name,
            version if isinstance(version, str) else "",
            _object(files, f"addons/{match[1]}/settings.json"),
        )
    return found


def _object(files: CommitFiles, path: str) -> dict[str, Any]:
    """A missing file is an empty object: so do addons read it when the site starts."""
    content = files.contents.get(path)
    if content is None:
        return {}
    try:
        return settings_json.read(content)
    except Invalid as error:
        raise Invalid(f"The file {path} cannot be used: {error.sentence}.") from error
