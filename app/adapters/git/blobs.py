"""Reading files of a commit without starting git: pages show what forms hold there."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import git
from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git.commands import is_sha, is_valid_path
from app.errors import Invalid

_one_reader = threading.Lock()
"""gitdb maps packs into memory with one manager a process, which knows no threads."""


def read_blobs(
    repository: Path, commit: str, paths: Collection[str], largest: int
) -> Mapping[str, bytes | None]:
    """Contents by path, None for what is no file there; a link's content is its target. `Invalid`
    for one of more than `largest` bytes, and for an object that is missing."""
    found: dict[str, bytes | None] = dict.fromkeys(paths)
    usable = [path for path in found if is_valid_path(path)]
    if not usable or not is_sha(commit):
        return found
    with _one_reader, git.Repo(repository, odbt=git.GitDB) as repo:
        try:
            tree = repo.commit(commit).tree
        except (ValueError, ODBError):  # no such commit
            return found
        for path in usable:
            try:
                found[path] = _content(tree, path, largest)
            except ODBError as error:
                raise Invalid("The repository cannot be read: an object is missing.") from error
    return found


def _content(tree: git.Tree, path: str, largest: int) -> bytes | None:
    try:
        there = tree / path
    except KeyError:
        return None
    if there.type != "blob":
        return None
    if there.size > largest:
        raise Invalid(f"“{path}” is larger than {largest // 1024**2} MB.")
    content: bytes = there.data_stream.read()
    return content
