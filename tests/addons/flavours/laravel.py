"""A site with a Flavours addon, as Flavours' own tools leave it in the repository."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from app.adapters.git import Author
from app.repositories.queries import load_repository
from tests.panel import ALICE, Panel, application

NAME = "composer/spatie/laravel-responsecache"
KEY = f"{NAME}:6.1.1"
PREFIX = "COMPOSER_SPATIE_LARAVEL_RESPONSECACHE"
ADDON = f"""\
spec: 0.1
meta:
  name: {NAME}
  version: 6.1.1
install:
  package: spatie/laravel-responsecache:6.1.1
config:
  enabled:
    type: scalar/boolean
    label: Keep answers
    variable: RESPONSE_CACHE_ENABLED
    required: false
    default: yes
  cache-lifetime:
    type: scalar/integer
    label: Lifetime
    helptext: In seconds. See <a href="https://example.com/lifetime">what it means</a>.
    default: 604800
    min: -1
    max: 31536000
  driver:
    type: scalar/string
    label: Where answers are kept
    default: file
    visibility: 1
  header:
    type: scalar/string
    label: Header with the time
    required: False
    visibility: 2
  build:
    type: scalar/string
    label: Build
    readonly: true
    default: 1.10
"""


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def listing(entries: Mapping[str, str]) -> str:
    """An `app.flavour` with these addons: key to hash."""
    lines = [
        f"  '{key}':\n    manager: 'flavour/fam-php-laravel:0.1.1'\n    hash: {sha256}\n"
        for key, sha256 in entries.items()
    ]
    return "spec: 0.1\naddons:\n" + "".join(lines)


def put(panel: Panel, files: Mapping[str, str | bytes | None], branch: str = "main") -> str:
    """Commit `files` to `demo`; returns the sha."""
    given = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in files.items()
    }
    with panel.reading():
        key = load_repository(application().id).uuid
    tip = panel.store.resolve(key, branch)
    author = Author("Alice", ALICE.email)
    return panel.store.commit(key, branch, given, "Add a Flavours addon", author, expected=tip)


def install(panel: Panel, *texts: str) -> str:
    """Commit `app.flavour` with addons of these descriptions, `KEY` first; returns the sha."""
    keys = (KEY, *(f"example/other-{number}:1" for number in range(1, len(texts))))
    entries = {key: sha256_of(text) for key, text in zip(keys, texts, strict=True)}
    files = {f".flavour/addons/{sha256_of(text)}": text for text in texts}
    return put(panel, {"app.flavour": listing(entries), **files})
