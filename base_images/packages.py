"""Debian packages, only from where the machine's own apt takes them; no root needed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

_LISTS = "lists"
_ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


class RecipeFailed(Exception):
    """A base image cannot be made; the text says why and what helps."""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """The standard output of a command; `RecipeFailed` with its last error lines."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RecipeFailed(f"{command[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def candidates(packages: Sequence[str], cache: Path) -> dict[str, str]:
    """The version apt would install of each package.

    Package lists are fetched when they are missing: as root the machine's, otherwise our own
    into `cache`. Raises `RecipeFailed` for a package apt does not know then either.
    """
    found = _policy(packages, cache)
    if len(found) < len(packages):
        if os.geteuid() == 0:
            run("apt-get", "update")
        else:
            (cache / _LISTS / "partial").mkdir(parents=True, exist_ok=True)
            run("apt-get", *_own_lists(cache), "update")
        found = _policy(packages, cache)
    if missing := [name for name in packages if name not in found]:
        raise RecipeFailed(
            f"apt knows no {', '.join(missing)}. Run apt-get update; the recipes are for Debian 12."
        )
    return found


def download(versions: dict[str, str], cache: Path) -> list[Path]:
    """The packages as `.deb` files in `cache`; only what is not there yet is fetched."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = [f"{name}={v}" for name, v in versions.items() if not _kept(name, v, cache)]
    if missing:
        run("apt-get", *_own_lists(cache), "download", "-q", *missing, cwd=cache)
    files = [_kept(name, version, cache) for name, version in versions.items()]
    if None in files:
        raise RecipeFailed(f"apt-get download left no file for one of {', '.join(missing)}.")
    return [file for file in files if file is not None]


def debian_mirror() -> tuple[str, str]:
    """(address, release name) of the machine's main Debian source, for debootstrap."""
    layout = "$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
    for line in run("apt-get", "indextargets", "--format", layout).splitlines():
        origin, label, address, release, component = line.split("|")
        main = (origin, label, component) == ("Debian", "Debian", "main")
        if main and release.isalpha():  # not `bookworm-updates`
            return address, release
    raise RecipeFailed("apt has no Debian source on this machine.")


def _policy(packages: Sequence[str], cache: Path) -> dict[str, str]:
    # apt's digest of its lists kept in our own folder (apt notices when it is out of date):
    # where the machine's is switched off, reading the lists anew took 0.6-0.9 s a question.
    cache.mkdir(parents=True, exist_ok=True)
    kept = [
        f"-oDir::Cache::{digest}={cache.absolute()}/{digest}.bin"
        for digest in ("pkgcache", "srcpkgcache")
    ]
    said = run("apt-cache", *kept, *_own_lists(cache), "policy", *packages)
    pairs = re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)$", said, re.MULTILINE)
    return {name: version for name, version in pairs if version != "(none)"}


def _own_lists(cache: Path) -> list[str]:
    """Options that make apt use the lists in `cache`, once they are there."""
    lists = (cache / _LISTS).absolute()
    return [f"-oDir::State::lists={lists}"] if lists.exists() else []


def _kept(name: str, version: str, cache: Path) -> Path | None:
    return next(cache.glob(f"{name}_{version.replace(':', '%3a')}_*.deb"), None)
