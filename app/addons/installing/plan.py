"""What a change of a site's addon would do, before it is done."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.addons import api
from app.addons.models import Addon, AddonVersion, ChangeKind, InstalledAddon
from app.addons.project.settings_json import is_same
from app.applications.models import Application


@dataclass(frozen=True)
class CurrentSettings:
    """What `settings.json` holds at the tip of Test's branch.

    `problem` is a sentence when it cannot be read: then `values` is empty. `seen` stands for what
    was found; a form hands it back, so that nobody overwrites what they have not seen.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Plan:
    """One change, made for the state of Test's branch at `tip`; nothing is written yet.

    Settings hold no secrets. `files` are whole new contents by path, None deletes; `originals` the
    contents before, None for a new file. `sentences` say in words what changes on the site,
    `notes` what people should know beside it.
    """

    kind: ChangeKind
    application: Application
    addon: Addon
    version: AddonVersion
    """The one there is afterwards; of a removal, the one that goes."""
    installed: InstalledAddon | None
    """None at the first installation."""
    version_before: str
    repository: str
    """Its key in the store."""
    branch: str
    tip: str | None
    """None: the repository is empty, and the change is its first commit."""
    settings_before: Mapping[str, Any]
    settings_after: Mapping[str, Any]
    secrets: Mapping[str, str | None] = field(repr=False)
    """New secrets by the name of the field; None removes one."""
    files: Mapping[str, bytes | None]
    originals: Mapping[str, bytes | None]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    rights: api.Rights | None
    """What people have not agreed to yet; None when that is nothing."""
    missing: tuple[str, ...]
    """Package names of addons that this one needs and the site has not got."""
    contributed: Mapping[str, Any]
    """The addon's answers, as `InstalledAddon.contributed` keeps them."""

    @property
    def is_empty(self) -> bool:
        """Whether a save would save nothing: neither a setting nor a secret differs."""
        row = self.installed
        return (
            self.kind in (ChangeKind.SAVE, ChangeKind.UNDO)
            and not self.secrets
            and is_same(self.settings_before, self.settings_after)
            and row is not None
            and is_same(row.settings, self.settings_after)
        )

    @property
    def seen(self) -> str:
        """Short text that differs as soon as something differs that the person was shown in
        words. Other people's changes of other files leave it as it is."""
        told = {
            "kind": self.kind,
            "addon": self.addon.package_name,
            "versions": [self.version_before, self.version.version],
            "settings": [self.settings_before, self.settings_after],
            "secrets": {name: value is None for name, value in self.secrets.items()},
            "sentences": self.sentences,
            "missing": self.missing,
            "rights": str(self.rights),
        }
        return digest(told)


def digest(value: object) -> str:
    """Short text for JSON that differs as soon as the JSON does."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def diff_of(plan: Plan) -> str:
    """The change of all files as a unified diff, for people who read one. What is no UTF-8 shows
    as “�”."""
    parts: list[str] = []
    for path in sorted(plan.files):
        before, after = plan.originals.get(path), plan.files[path]
        parts += difflib.unified_diff(
            _lines(before),
            _lines(after),
            "/dev/null" if before is None else f"a/{path}",
            "/dev/null" if after is None else f"b/{path}",
            lineterm="",
        )
    return "".join(f"{line}\n" for line in parts)


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode(errors="replace")
    return text.replace("\r\n", "\n").split("\n")[: None if not text.endswith("\n") else -1]
