"""The two files of Flavours: `app.flavour`, and the description of one addon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from app.addons.flavours.yaml_text import Node, read_yaml
from app.errors import Invalid

APP_FILE = "app.flavour"
SPEC = "0.1"
MOST_ADDONS = 100
_ADDON_NAME = re.compile(r"[A-Za-z0-9@_+-][A-Za-z0-9@._+-]*(?:/[A-Za-z0-9@_+-][A-Za-z0-9@._+-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAY_BE_EMPTY = ("meta", "services", "addons", "install", "config")
"""Flavours' own tools leave an empty `addons:` behind when the last one is removed."""


class _Meta(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    version: str = ""


class _Service(msgspec.Struct, forbid_unknown_fields=True):
    type: str


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    manager: str
    hash: str
    settings: dict[str, Any] | str = ""


class _App(msgspec.Struct, forbid_unknown_fields=True):
    spec: str
    meta: _Meta = msgspec.field(default_factory=_Meta)
    services: dict[str, _Service] = msgspec.field(default_factory=dict)
    addons: dict[str, _Listed] = msgspec.field(default_factory=dict)
    config: dict[str, Any] = msgspec.field(default_factory=dict)


class _AddonMeta(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str


class _Addon(msgspec.Struct, forbid_unknown_fields=True):
    spec: str
    meta: _AddonMeta
    install: dict[str, Any] = msgspec.field(default_factory=dict)
    config: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


Shape = TypeVar("Shape", _App, _Addon)


@dataclass(frozen=True)
class ListedAddon:
    """One entry of `app.flavour`. `key` is as it stands there, `sha256` of the description or
    empty where it is none."""

    key: str
    name: str
    version: str
    manager: str
    sha256: str

    @property
    def path(self) -> str:
        """Where its description is."""
        return f".flavour/addons/{self.sha256}"


@dataclass(frozen=True)
class Description:
    """What an addon's own file says. `config` is the fields by name, not read any further."""

    name: str
    version: str
    config: Mapping[str, Mapping[str, Any]]


def read_app(content: bytes) -> tuple[ListedAddon, ...]:
    """The addons of an `app.flavour`, in its order. `Invalid` when it is not of the schema."""
    found = _shaped(content, APP_FILE, _App)
    if len(found.addons) > MOST_ADDONS:
        raise Invalid(f"“{APP_FILE}” lists more than {MOST_ADDONS} addons.")
    return tuple(_listed(key, entry) for key, entry in found.addons.items())


def read_description(content: bytes, name: str) -> Description:
    """An addon's file. `name` is what to call it in the sentence of `Invalid`."""
    found = _shaped(content, name, _Addon)
    if not found.meta.name.strip() or not found.meta.version.strip():
        raise Invalid(f"“{name}” lacks the addon's name or version.")
    return Description(found.meta.name, found.meta.version, found.config)


def _listed(key: str, entry: _Listed) -> ListedAddon:
    name, colon, version = key.rpartition(":")
    if not colon:
        name, version = key, ""
    if not _ADDON_NAME.fullmatch(name) or (colon and not _ADDON_NAME.fullmatch(version)):
        raise Invalid(f"“{APP_FILE}”: “{key[:80]}” is no name of an addon.")
    sha256 = entry.hash if _SHA256.fullmatch(entry.hash) else ""
    return ListedAddon(key, name, version, entry.manager, sha256)


def _shaped(content: bytes, name: str, shape: type[Shape]) -> Shape:
    node = read_yaml(content, name)
    try:
        found = msgspec.convert(_without_empty(node), shape, strict=True)
    except msgspec.ValidationError as error:
        raise Invalid(f"“{name}” is not of Flavours' schema: {error}.") from error
    if found.spec != SPEC:
        raise Invalid(f"“{name}” is of spec {found.spec[:20]}; only {SPEC} is known.")
    return found


def _without_empty(node: Node) -> Node:
    if not isinstance(node, dict):
        return node
    return {key: value for key, value in node.items() if value or key not in _MAY_BE_EMPTY}
