"""Commits the panel makes itself, in the bare repository: no clone, no work tree.

A temporary index, then `update-ref` with the old value expected: whoever comes second is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import git
from git.objects.commit import Commit
from git.objects.tree import Tree
from gitdb.base import IStream  # type: ignore[import-untyped]
from gitdb.exc import ODBError  # type: ignore[import-untyped]

from app.adapters.git import Author, Program
from app.adapters.git.archives import list_tree
from app.adapters.git.commands import NO_SHA, git_environment, is_valid_path
from app.adapters.git.running import run_git
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
    is_first = on == NO_SHA
    modes = {} if is_first else {path: mode for mode, _, path in list_tree(repository, on)}
    _refuse_files_as_folders(modes, changes)
    # GitPython starts git for each object with this process's environment: ours goes over it, or
    # another user's repository is "dubious" and the machine's configuration counts.
    with git.Repo(repository) as repo:
        repo.git.update_environment(**git_environment(extra={"GIT_DIR": str(repository)}))
        lines = [_index_line(repo, path, content, modes) for path, content in changes.items()]
        tree = _write_tree(repository, None if is_first else on, b"".join(lines))
        if not is_first and tree == _tree_of(repository, on):
            return on
        person = git.Actor(_plain(author.name) or "Moonbase", _plain(author.email))
        try:
            commit = Commit.create_from_tree(
                repo,
                Tree(repo, bytes.fromhex(tree), path=""),
                message.replace("\0", ""),
                parent_commits=[] if is_first else [Commit(repo, bytes.fromhex(on))],
                author=person,
                committer=person,
            )
        except (ODBError, git.GitError, OSError) as error:
            raise Unavailable("The commit could not be written.") from error
        return commit.hexsha


def move_branch(repository: Path, branch: str, new: str, old: str) -> None:
    """Point `branch` to `new` if it still stands at `old` (`NO_SHA`: does not exist).

    Raises `Conflict` when it has moved, `Invalid` when another branch's name is in its way.
    """
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


def _refuse_files_as_folders(
    modes: Mapping[bytes, bytes], changes: Mapping[str, bytes | None]
) -> None:
    """Raise `Invalid` for a file in a folder's place: git would drop the folder silently."""
    written = {_name(path) for path, content in changes.items() if content is not None}
    deleted = {_name(path) for path, content in changes.items() if content is None}
    files = (modes.keys() - deleted) | written
    folders = {path[:at] for path in files for at, c in enumerate(path) if c == ord("/")}
    for path in sorted(files & folders):
        shown = path.decode(errors="replace")
        raise Invalid(f"“{shown}” cannot be a file and a folder at the same time.")


def _name(path: str) -> bytes:
    return path.encode(errors="surrogateescape")


def _index_line(
    repo: git.Repo, path: str, content: bytes | None, modes: Mapping[bytes, bytes]
) -> bytes:
    name = _name(path)
    if content is None:
        return b"0 " + NO_SHA.encode() + b"\t" + name + b"\0"
    try:
        stored = repo.odb.store(IStream("blob", len(content), BytesIO(content)))
    except (ODBError, git.GitError, OSError) as error:
        raise Unavailable("The commit could not be written.") from error
    is_program = isinstance(content, Program) or modes.get(name) == b"100755"
    mode = b"100755" if is_program else b"100644"
    return b"%b %b\t%b\0" % (mode, stored.hexsha, name)


def _write_tree(repository: Path, on: str | None, lines: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="moonbase-index-") as folder:
        extra = {"GIT_INDEX_FILE": f"{folder}/index"}
        if on is not None:
            read = run_git(repository, ["read-tree", on], extra=extra)
            if read.returncode != 0:
                raise Invalid("The repository cannot be read: an object of it is missing.")
        put = run_git(repository, ["update-index", "-z", "--index-info"], given=lines, extra=extra)
        if put.returncode != 0:
            raise Invalid("The changes cannot be written into the repository.")
        written = run_git(repository, ["write-tree"], extra=extra)
        if written.returncode != 0:
            raise Unavailable("The commit could not be written.")
        return written.stdout.decode().strip()


def _tree_of(repository: Path, commit: str) -> str:
    return run_git(repository, ["rev-parse", f"{commit}^{{tree}}"]).stdout.decode().strip()


def _plain(text: str) -> str:
    """A name or address as a commit header can hold it."""
    return "".join(c for c in text if c not in "<>" and c.isprintable()).strip()
