"""Writing trees: a folder's entries with some changed, and only the folders above a change anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitdb import GitDB  # type: ignore[import-untyped]

from app.adapters.git import Program
from app.adapters.git.entries import entries_of, keep_entries, tree_data
from app.adapters.git.objects import store_object
from app.errors import Invalid

FOLDER, PLAIN, EXECUTABLE = 0o040000, 0o100644, 0o100755
EMPTY = bytes.fromhex("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""The tree without entries, the same in every repository."""


@dataclass
class _Node:
    """What is to become of one name. `is_file` False: only what lies below it changes."""

    is_file: bool = False
    content: bytes | None = None
    below: dict[str, _Node] = field(default_factory=dict)


def write_tree(objects: GitDB, tree: bytes | None, changes: Mapping[str, bytes | None]) -> bytes:
    """The sha of `tree` (None: the empty one) with `changes` by path; None deletes. Executable
    files stay executable. Raises `Invalid` for a file and a folder of the same name."""
    root = _Node()
    for path, content in changes.items():
        node = root
        for part in path.split("/"):
            node = node.below.setdefault(part, _Node())
        node.is_file, node.content = True, content
    return _write(objects, tree, root, "") or store_object(objects, b"tree", b"")


def _write(objects: GitDB, tree: bytes | None, node: _Node, place: str) -> bytes | None:
    """The new tree of one folder; None when nothing is left in it."""
    entries = dict(entries_of(objects, tree)) if tree and tree != EMPTY else {}
    for name, change in node.below.items():
        _apply(objects, entries, name, change, f"{place}{name}")
    if not entries:
        return None
    rows = [
        (sha, mode, name.encode(errors="surrogateescape")) for name, (sha, mode) in entries.items()
    ]
    rows.sort(key=_order)
    kept = store_object(objects, b"tree", tree_data(rows))
    keep_entries(objects, kept, entries)  # the next one to save reads it
    return kept


def _apply(
    objects: GitDB,
    entries: dict[str, tuple[bytes, int]],
    name: str,
    change: _Node,
    path: str,
) -> None:
    sha, mode = entries.get(name, (b"", 0))
    is_folder = mode == FOLDER
    if change.is_file and change.content is None and sha and not is_folder:
        del entries[name]
        sha, mode = b"", 0
    if change.below:
        below = _write(objects, sha if is_folder else None, change, f"{path}/")
        if below is not None and sha and not is_folder:
            raise _both(path)
        if below is not None:
            entries[name] = (below, FOLDER)
        elif is_folder:
            del entries[name]
    if change.is_file and change.content is not None:
        if entries.get(name, (b"", 0))[1] == FOLDER:
            raise _both(path)
        is_program = mode == EXECUTABLE or isinstance(change.content, Program)
        kept = store_object(objects, b"blob", change.content)
        entries[name] = (kept, EXECUTABLE if is_program else PLAIN)


def _order(row: tuple[bytes, int, bytes]) -> bytes:
    """Git sorts by bytes, folders as if their names ended in a slash."""
    _, mode, name = row
    return name + (b"/" if mode == FOLDER else b"")


def _both(path: str) -> Invalid:
    return Invalid(f"“{path}” cannot be a file and a folder at the same time.")
