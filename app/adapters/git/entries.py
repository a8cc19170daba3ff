"""Trees and commits as they are read. Git's objects never change, so those read last are kept;
they are kept by repository, for what one repository has says nothing about another."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from gitdb import GitDB  # type: ignore[import-untyped]
from gitdb.exc import BadObject  # type: ignore[import-untyped]

Kept = TypeVar("Kept")

Entries = Mapping[str, tuple[bytes, int]]
"""Sha and mode by name; bytes that are no UTF-8 come as surrogates."""

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


class Commit(NamedTuple):
    """`about` is all that Git keeps of it."""

    tree: bytes
    parents: tuple[bytes, ...]
    about: bytes


class Memory(Generic[Kept]):
    """The newest few, of a total weight. Used with `opened` only, so by one thread at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[tuple[str, bytes], tuple[Kept, int]] = OrderedDict()

    def get(self, objects: GitDB, sha: bytes) -> Kept | None:
        key = (objects.root_path(), sha)
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, objects: GitDB, sha: bytes, value: Kept, weight: int) -> Kept:
        key = (objects.root_path(), sha)
        if weight > self._most // 4 or key in self._kept:
            return value
        self._kept[key] = (value, weight)
        self._weight += weight
        while self._weight > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self._weight -= gone
        return value


TREES: Memory[Entries] = Memory(40_000)
"""Entries; some ten megabytes at most."""
COMMITS: Memory[Commit] = Memory(4_000_000)
"""Bytes."""


def entries_of(objects: GitDB, tree: bytes) -> Entries:
    """What lies in a tree, by name. Raises `ODBError` when it is missing, and `ValueError` when it
    is no tree."""
    kept = TREES.get(objects, tree)
    if kept is not None:
        return kept
    found = parse_tree(objects.stream(tree).read())
    return TREES.keep(objects, tree, found, len(found))


def keep_entries(objects: GitDB, tree: bytes, entries: Entries) -> None:
    """What was just written need not be read."""
    TREES.keep(objects, tree, entries, len(entries))


def parse_tree(data: bytes) -> Entries:
    rows = _ENTRY.findall(data)
    if sum(len(mode) + len(name) for mode, name, _ in rows) + 22 * len(rows) != len(data):
        raise ValueError("this is no tree")
    return {name.decode(errors="surrogateescape"): (sha, int(mode, 8)) for mode, name, sha in rows}


def tree_data(rows: Iterable[tuple[bytes, int, bytes]]) -> bytes:
    """Sha, mode and name of each entry, in Git's order, as Git keeps them."""
    return b"".join(b"%o %b\0%b" % (mode, name, sha) for sha, mode, name in rows)


def tree_of(objects: GitDB, commit: bytes) -> bytes | None:
    """The tree of a commit; None when there is no such commit."""
    found = commit_of(objects, commit)
    return found.tree if found else None


def commit_of(objects: GitDB, sha: bytes) -> Commit | None:
    """None when there is no such commit."""
    kept = COMMITS.get(objects, sha)
    if kept is not None:
        return kept
    try:
        found = objects.stream(sha)
    except BadObject:
        return None
    if found.type != b"commit":
        return None
    about: bytes = found.read()
    head = about.partition(b"\n\n")[0].split(b"\n")
    trees = [line[5:] for line in head if line.startswith(b"tree ")]
    parents = [line[7:] for line in head if line.startswith(b"parent ")]
    if not trees:
        return None
    commit = Commit(_binary(trees[0]), tuple(map(_binary, parents)), about)
    return COMMITS.keep(objects, sha, commit, len(about) + 200)


def _binary(name: bytes) -> bytes:
    return bytes.fromhex(name.decode())
