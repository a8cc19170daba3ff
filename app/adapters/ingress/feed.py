"""One feed of the panel and the file a node keeps it in. Called by the ingress agent only."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.adapters.ingress import traefik

_EPOCH = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Feed:
    """What the panel answered: `raw` as it came, `document` parsed. Versions start at 1."""

    epoch: str
    version: int
    probe_host: str
    document: dict[str, Any]
    raw: bytes

    def replaces(self, other: Feed | None) -> bool:
        """Newer, or of another database; a late answer of the same one is not taken."""
        return other is None or other.epoch != self.epoch or other.version < self.version


class DamagedFeed(ValueError):
    """These bytes are not a feed; the message says why."""


def parse_feed(raw: bytes) -> Feed:
    """The feed in `raw`, checked so far that Traefik will take it, or `DamagedFeed`."""
    try:
        feed = json.loads(raw)
        epoch, version, document = feed["epoch"], feed["version"], feed["document"]
        marker = document["http"]["middlewares"][traefik.MARKER]["headers"]
        told = marker["customResponseHeaders"][traefik.VERSION_HEADER]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFeed(f"not a feed: {type(error).__name__}: {error}") from error
    if type(version) is not int or version < 1 or told != str(version):
        raise DamagedFeed(f"version {version!r} with a marker that says {told!r}")
    if not isinstance(epoch, str) or not _EPOCH.fullmatch(epoch):
        raise DamagedFeed(f"epoch {epoch!r}")
    probe_host = traefik.find_probe_host(document)
    if probe_host is None or _has_empty_map(document):
        raise DamagedFeed("a document without marker or with an empty map")
    return Feed(epoch, version, probe_host, document, raw)


class StateFile:
    """The last feed on the node's disk, with a checksum in its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether a feed was ever kept here, also one that was set aside since."""
        return self._path.exists() or any(self._path.parent.glob(self._path.name + ".damaged-*"))

    def load(self) -> Feed | None:
        """The kept feed, None when there is none; `DamagedFeed` when it cannot be trusted."""
        try:
            checksum, _, raw = self._path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if hashlib.sha256(raw).hexdigest().encode() != checksum:
            raise DamagedFeed("its checksum does not fit")
        return parse_feed(raw)

    def save(self, feed: Feed) -> None:
        """Keep `feed` so that a crash at any moment leaves the old file or the new one whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(self._path.name + ".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(feed.raw).hexdigest().encode() + b"\n" + feed.raw)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def set_aside(self) -> Path:
        """Rename the damaged file for whoever wants to look at it; returns its new path."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        self._path.replace(aside)
        return aside


def _has_empty_map(value: Any) -> bool:
    if isinstance(value, dict):
        return not value or any(_has_empty_map(one) for one in value.values())
    return isinstance(value, list) and any(_has_empty_map(one) for one in value)
