"""Reading files of a commit without starting git: pages show what forms hold there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from gitdb import GitDB  # type: ignore[import-untyped]
from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git.commands import is_sha, is_valid_path
from app.adapters.git.entries import entries_of, tree_of
from app.adapters.git.objects import opened
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
        try:
            tree = _folder(objects, commit, folder)
            paths = list(_walk(objects, tree, f"{folder.rstrip('/')}/")) if tree else []
        except (ODBError, ValueError) as error:
            raise Invalid("The repository cannot be read: an object is missing.") from error
    return sorted(path for path in paths if _is_text(path))


def list_names(repository: Path, commit: str, folder: str) -> list[str]:
    """As `list_blobs`, of one folder alone; names of folders in it end in a slash."""
    if not is_sha(commit):
        return []
    with opened(repository) as objects:
        try:
            tree = _folder(objects, commit, folder)
            entries = entries_of(objects, tree) if tree else {}
        except (ODBError, ValueError) as error:
            raise Invalid("The repository cannot be read: an object is missing.") from error
    ends = {_FILE: "", _FOLDER: "/"}
    found = {name: ends.get(mode & _KIND) for name, (_, mode) in entries.items()}
    return sorted(name + end for name, end in found.items() if end is not None and _is_text(name))


def _folder(objects: GitDB, commit: str, folder: str) -> bytes | None:
    """The tree of a folder; None when there is no such commit or folder."""
    tree = tree_of(objects, bytes.fromhex(commit))
    for part in PurePosixPath(folder).parts:
        below = entries_of(objects, tree).get(part) if tree else None
        tree = below[0] if below and below[1] & _KIND == _FOLDER else None
    return tree


def _walk(objects: GitDB, tree: bytes, start: str) -> Iterator[str]:
    open_folders = [(tree, start)]
    while open_folders:
        below, place = open_folders.pop()
        for name, (sha, mode) in entries_of(objects, below).items():
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
        below = entries_of(objects, tree).get(folder)
        if below is None or below[1] & _KIND != _FOLDER:
            return None
        tree = below[0]
    there = entries_of(objects, tree).get(name)
    if there is None or there[1] & _KIND not in (_FILE, _LINK):
        return None
    if objects.info(there[0]).size > largest:
        raise Invalid(f"“{path}” is larger than {largest // 1024**2} MB.")
    content: bytes = objects.stream(there[0]).read()
    return content
