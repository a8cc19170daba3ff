"""Which files of this machine the sandbox needs to run Python: the interpreter, its standard
library and the libraries of the system; none of its programs, packages or settings."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# Where the dynamic loader and, without a cache of its own, the system's libraries are looked for.
_LIBRARIES = ("libc.so", "libc-", "libm.so", "libpython")
_SYSTEM = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


@cache
def interpreter() -> Path:
    """The program itself, not the link in a virtual environment."""
    return Path(str(getattr(sys, "_base_executable", sys.executable))).resolve()


@cache
def mounts() -> tuple[str, ...]:
    """Words for bubblewrap that show those files, read-only, at their own places."""
    # By its own account a virtual environment has a standard library too: an empty folder.
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    standard = {Path(sysconfig.get_path(name, vars=base)) for name in ("stdlib", "platstdlib")}
    shown = {interpreter(), *standard, *(p for p in _libraries() if not _lies_in(p, standard))}
    words: list[str] = []
    for path in sorted(shown):
        words += ["--ro-bind", str(path), str(path)]
    for folder in standard:
        for packages in folder.glob("*-packages"):
            words += ["--size", "4096", "--tmpfs", str(packages), "--remount-ro", str(packages)]
    for name in _SYSTEM:
        if (folder := Path(name)).is_symlink():
            words += ["--symlink", str(folder.readlink()), name]
            continue
        for loader in folder.glob("ld-*.so*"):
            words += ["--ro-bind", str(loader.resolve()), str(loader)]
    elsewhere = [str(path) for path in _libraries() if not str(path).startswith(_SYSTEM)]
    return (*words, "--setenv", "LD_LIBRARY_PATH", ":".join(elsewhere)) if elsewhere else (*words,)


@cache
def folder_of(library: str) -> Path:
    """Where a library of the panel lies, which is not loaded for that."""
    found = find_spec(library)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"{library} is not installed")
    return Path(found.submodule_search_locations[0])


def _lies_in(path: Path, folders: set[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _libraries() -> list[Path]:
    """The folders of the C library, and of Python's own where it has one, that this very process
    runs on."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    files = {Path(line[line.index("/") :]) for line in lines if "/" in line and ".so" in line}
    found = {path.parent for path in files if path.name.startswith(_LIBRARIES)}
    return sorted(path for path in found if not path.is_relative_to(sys.prefix))  # of packages
