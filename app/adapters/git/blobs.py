"""Reading files of a commit without starting git: pages show what forms hold there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from git.objects.fun import tree_entries_from_data
from gitdb import GitDB  # type: ignore[import-untyped]
from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git.commands import is_sha, is_valid_path
from app.adapters.git.objects import opened, tree_of
from app.errors import Invalid

_FOLDER, _FILE, _LINK = 0o040000, 0o100000, 0o120000
_KIND = 0o170000


def read_blobs(
    repository: Path, commit: str, paths: Collection[str], largest: int
) -> Mapping[str, bytes | None]:
    """Contents by path, None for what is no file there; a link's content is its target. `Invalid`
    for one of more than `largest` bytes, and for an object that is missing."""
    found: dict[str, bytes | None] = dict.fromkeys(paths)
    usable = [path for path in found if is_valid_path(path)]
    if not usable or not is_sha(commit):
        return found
    with opened(repository) as objects:
        root = tree_of(objects, bytes.fromhex(commit))
        if root is None:
            return found
        try:
            for path in usable:
                found[path] = _content(objects, root, path, largest)
        except (ODBError, ValueError) as error:
            raise Invalid("The repository cannot be read: an object is missing.") from error
    return found


def list_blobs(repository: Path, commit: str, folder: str) -> list[str]:
    """Paths of the files below `folder`, without links and submodules; those that are no UTF-8
    are left out. Empty when there is no such commit or folder."""
    if not is_sha(commit):
        return []
    with opened(repository) as objects:
        tree = tree_of(objects, bytes.fromhex(commit))
        for part in PurePosixPath(folder).parts:
            below = _entry(objects, tree, part) if tree else None
            tree = below[0] if below and below[1] & _KIND == _FOLDER else None
        try:
            paths = list(_walk(objects, tree, f"{folder.rstrip('/')}/")) if tree else []
        except ODBError as error:
            raise Invalid("The repository cannot be read: an object is missing.") from error
    return sorted(path for path in paths if _is_text(path))


def _walk(objects: GitDB, tree: bytes, start: str) -> Iterator[str]:
    open_folders = [(tree, start)]
    while open_folders:
        below, place = open_folders.pop()
        for sha, mode, name in tree_entries_from_data(objects.stream(below).read()):
            if mode & _KIND == _FOLDER:
                open_folders.append((sha, f"{place}{name}/"))
            elif mode & _KIND == _FILE:
                yield place + name


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 come as surrogates
        return False
    return True


def _content(objects: GitDB, tree: bytes, path: str, largest: int) -> bytes | None:
    """Walk down from a tree, one part of the path at a time."""
    *folders, name = PurePosixPath(path).parts
    for folder in folders:
        below = _entry(objects, tree, folder)
        if below is None or below[1] & _KIND != _FOLDER:
            return None
        tree = below[0]
    there = _entry(objects, tree, name)
    if there is None or there[1] & _KIND not in (_FILE, _LINK):
        return None
    if objects.info(there[0]).size > largest:
        raise Invalid(f"“{path}” is larger than {largest // 1024**2} MB.")
    content: bytes = objects.stream(there[0]).read()
    return content


def _entry(objects: GitDB, tree: bytes, name: str) -> tuple[bytes, int] | None:
    """Sha and mode of what a tree has under this name."""
    for sha, mode, found in tree_entries_from_data(objects.stream(tree).read()):
        if found == name:
            return sha, mode
    return None
