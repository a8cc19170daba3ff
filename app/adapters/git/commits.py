"""Commits the panel makes itself, in the bare repository: no clone, no work tree.

Objects first, then `update-ref` with the old value expected: whoever comes second is told.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from gitdb import GitDB  # type: ignore[import-untyped]
from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git import Author
from app.adapters.git.commands import NO_SHA, is_valid_path
from app.adapters.git.entries import tree_of
from app.adapters.git.objects import opened, store_object
from app.adapters.git.refs import swap_branch
from app.adapters.git.running import run_git
from app.adapters.git.trees import write_tree
from app.errors import Conflict, Invalid, Unavailable

_MOVED = "The branch “{}” has changed meanwhile. Look at it again and repeat your change."


def write_commit(
    repository: Path, changes: Mapping[str, bytes | None], message: str, author: Author, on: str
) -> str:
    """Store a commit with `changes` on top of `on` (`NO_SHA`: a first commit); moves no branch.

    Returns its sha, or `on` when the tree would stay as it is. Executable files stay executable.
    """
    for path in changes:
        if not is_valid_path(path):
            raise Invalid(f"“{path}” cannot be the name of a file in a repository.")
    base = None if on == NO_SHA else bytes.fromhex(on)
    try:
        with opened(repository) as objects:
            before = tree_of(objects, base) if base else None
            if base and before is None:
                raise Invalid("The repository cannot be read: an object of it is missing.")
            tree = write_tree(objects, before, changes)
            if base and tree == before:
                return on
            return _store_commit(objects, tree, base, message, author)
    except (ODBError, ValueError) as error:
        raise Invalid("The repository cannot be read: an object of it is missing.") from error
    except OSError as error:
        raise Unavailable("The commit could not be written.") from error


def _store_commit(
    objects: GitDB, tree: bytes, parent: bytes | None, message: str, author: Author
) -> str:
    """A commit in UTF-8, now, by and for the acting person."""
    name, email = _plain(author.name) or "Moonbase", _plain(author.email)
    person = f"{name} <{email}> {int(time.time())} +0000"
    lines = [f"tree {tree.hex()}", *([f"parent {parent.hex()}"] if parent else [])]
    lines += [f"author {person}", f"committer {person}", "", message.replace("\0", "")]
    data = "\n".join(lines).encode(errors="replace")
    return store_object(objects, b"commit", data).hex()


def move_branch(repository: Path, branch: str, new: str, old: str) -> None:
    """Point `branch` to `new` if it still stands at `old` (`NO_SHA`: does not exist).

    Raises `Conflict` when it has moved, `Invalid` when another branch's name is in its way.
    """
    if old != NO_SHA and swap_branch(repository, branch, new, old):
        return
    moved = run_git(repository, ["update-ref", f"refs/heads/{branch}", new, old])
    if moved.returncode == 0:
        return
    said = moved.stderr.decode(errors="replace")
    if "exists; cannot create" in said:
        raise Invalid(f"“{branch}” cannot be made: a branch with a part of its name exists.")
    if "cannot lock ref" in said:
        raise Conflict(_MOVED.format(branch))
    raise Unavailable("The branch could not be written.")


def refuse_moved(branch: str, tip: str | None, expected: str | None) -> None:
    """Raise `Conflict` early, before anything is written, when the tip is not the expected one."""
    if tip != expected:
        raise Conflict(_MOVED.format(branch))


def _plain(text: str) -> str:
    """A name or address as a commit header can hold it."""
    return "".join(c for c in text if c not in "<>" and c.isprintable()).strip()
