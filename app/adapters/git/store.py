"""Bare repositories on this machine's disk, two folders deep under one root. Used by web (pages,
Git over HTTP), ssh and worker through the `RepositoryStore` protocol."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from app.adapters.git import Author, CommitInfo, GitService, ServeCommand
from app.adapters.git.archives import list_tree, open_archive
from app.adapters.git.blobs import list_blobs, list_names, read_blobs
from app.adapters.git.commands import (
    NO_SHA,
    REPOSITORY_ATTRIBUTES,
    REPOSITORY_CONFIG,
    cgi_environment,
    git_environment,
    is_key,
    is_sha,
    is_valid_branch_name,
)
from app.adapters.git.commits import move_branch, refuse_moved, write_commit
from app.adapters.git.history import count_straight, moment_of, read_commit
from app.adapters.git.objects import make_shared
from app.adapters.git.refs import read_branch
from app.adapters.git.running import run_git
from app.errors import Conflict, Invalid, NotFound, Unavailable

LARGEST_FILE = 5 * 1024 * 1024  # bytes `read_file` gives; it is for settings and forms, not media
_FILE_MODES = frozenset({b"100644", b"100755"})
_LOG_FORMAT = "--format=%H%x00%an%x00%ae%x00%ct%x00%s"


class DiskRepositoryStore:
    """`RepositoryStore` over `<root>/<first two hex>/<key>.git`.

    `max_push_bytes` is the largest pack one push may bring, 0 for no limit. It is handed to git
    with each push, so that a changed limit counts at once for repositories made earlier.
    """

    def __init__(self, root: Path, max_push_bytes: int) -> None:
        self._root = root
        self._max_push_bytes = max_push_bytes

    def create(self, key: str, default_branch: str) -> None:
        """Make an empty bare repository; silent when it is there, and whole or not there at all."""
        path = self._place(key)
        _check_branch(default_branch)
        if path.is_dir():
            return
        make_shared(path.parent)
        draft = path.with_name(f"{key}.{uuid.uuid4().hex}.new")
        draft.mkdir()
        try:
            made = run_git(
                draft,
                [
                    "init",
                    "--quiet",
                    "--bare",
                    "--shared=0660",
                    "--template=",
                    f"-b{default_branch}",
                ],
            )
            if made.returncode != 0:
                raise Unavailable("The repository could not be made.")
            with (draft / "config").open("a") as config:
                config.write("[core]\n" + REPOSITORY_CONFIG)
            make_shared(draft / "info")
            (draft / "info" / "attributes").write_text(REPOSITORY_ATTRIBUTES)
            draft.rename(path)
        except OSError as error:
            if not path.is_dir():
                raise Unavailable("The repository could not be made.") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def delete(self, key: str) -> None:
        """Remove the repository; half a removal is finished by the next call."""
        path = self._place(key)
        grave = path.with_suffix(".deleted")
        try:
            if grave.is_dir():
                shutil.rmtree(grave)
            if path.is_dir():
                path.rename(grave)  # out of sight at once, also for a second process
                shutil.rmtree(grave)
        except OSError as error:
            raise Unavailable("The repository could not be removed completely.") from error

    def branches(self, key: str) -> Mapping[str, str]:
        """Branch names and the sha each points to; bytes that are no UTF-8 show as “�”."""
        listed = run_git(
            self._find(key),
            ["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/"],
        )
        if listed.returncode != 0:
            raise Unavailable("The branches of the repository cannot be read.")
        rows = (line.split(" ", 1) for line in listed.stdout.decode(errors="replace").splitlines())
        return {name: sha for sha, name in rows}

    def resolve(self, key: str, branch: str) -> str | None:
        """The sha at the tip of `branch`; None for no such branch and for an impossible name."""
        path = self._find(key)
        if not is_valid_branch_name(branch):
            return None
        return read_branch(path, branch)

    def tip(self, key: str, branch: str) -> CommitInfo | None:
        """The commit at the tip of `branch`; None for no such branch and for an impossible name."""
        if not is_valid_branch_name(branch):
            self._find(key)
            return None
        path = self._find(key)
        sha = read_branch(path, branch)
        if sha and (commit := read_commit(path, sha)):
            return commit
        words = [_LOG_FORMAT, "-z", "--max-count=1", f"refs/heads/{branch}", "--"]
        found = run_git(path, ["log", *words])
        if found.returncode == 0:
            return _commit_info(*found.stdout.decode(errors="replace").split("\0")[:5])
        if self.resolve(key, branch) is None:
            return None
        raise Invalid("The history of the repository cannot be read.")

    def log(self, key: str, until: str, since: str | None, limit: int) -> Sequence[CommitInfo]:
        """Newest first: at most `limit` commits reachable from `until` (a sha or a branch) and not
        from `since`. An unknown `since` counts as None, an unknown `until` is `Invalid`."""
        words = ["log", "-z", _LOG_FORMAT, f"--max-count={int(limit)}"]
        unreadable = "The history of the repository cannot be read."
        listed = self._walk(key, words, (until, since), unreadable)
        fields = listed.decode(errors="replace").split("\0")
        return [_commit_info(*fields[at : at + 5]) for at in range(0, len(fields) - 4, 5)]

    def count(self, key: str, until: str, since: str | None) -> int:
        """How many commits `log` would have without a limit."""
        if is_sha(until) and (not since or is_sha(since)):
            straight = count_straight(self._find(key), until, since)
            if straight is not None:
                return straight
        unreadable = "Unable to get commit count from repository."
        return int(self._walk(key, ["rev-list", "--count"], (until, since), unreadable))

    def archive(self, key: str, commit: str) -> BinaryIO:
        """The tree of `commit` as a tar stream, never whole in memory; the caller closes it.

        Raises `Invalid` for an unknown commit, submodules and links that lead out of the tree.
        """
        path = self._find(key)
        if not is_sha(commit) or not _has_commit(path, commit):
            if not self.branches(key):
                raise Invalid("The repository is empty: push a commit first.")
            raise Invalid(f"There is no commit {commit[:40]} in the repository.")
        return open_archive(path, commit)

    def read_file(self, key: str, commit: str, path: str) -> bytes | None:
        """One file's content, None when there is no such file. `Invalid` above 5 MB."""
        return read_blobs(self._find(key), commit, [path], LARGEST_FILE)[path]

    def list_files(self, key: str, commit: str, folder: str = "") -> Sequence[str]:
        """Paths of all files at `commit` below `folder`, by name. Links and submodules are none,
        and paths that are no UTF-8 are left out."""
        repository = self._find(key)
        if folder:
            return list_blobs(repository, commit, folder)
        if not is_sha(commit) or not _has_commit(repository, commit):
            return []
        entries = list_tree(repository, commit)
        paths = [path for mode, _, path in entries if mode in _FILE_MODES]
        return sorted(name for path in paths if (name := _text(path)) is not None)

    def list_folder(self, key: str, commit: str, folder: str = "") -> Sequence[str]:
        """Names of what lies in `folder` itself, by name; folders end in a slash."""
        return list_names(self._find(key), commit, folder)

    def read_files(
        self, key: str, commit: str, paths: Collection[str]
    ) -> Mapping[str, bytes | None]:
        """Several files' contents by path; see `read_file`."""
        repository = self._find(key)
        return read_blobs(repository, commit, paths, LARGEST_FILE)

    def commit(
        self,
        key: str,
        branch: str,
        changes: Mapping[str, bytes | None],
        message: str,
        author: Author,
        expected: str | None,
    ) -> str:
        """Write `changes` on top of `expected` and move `branch` there; see the protocol.

        Changes that change nothing make no commit: the answer is `expected`.
        """
        path = self._find(key)
        _check_branch(branch)
        refuse_moved(branch, self.resolve(key, branch), expected)
        new = write_commit(path, changes, message, author, expected or NO_SHA)
        if new != expected:
            move_branch(path, branch, new, expected or NO_SHA)
        return new

    def fast_forward(self, key: str, branch: str, commit: str, expected: str) -> None:
        """Move `branch` from `expected` on to `commit`, losing nothing; see the protocol."""
        path = self._find(key)
        _check_branch(branch)
        refuse_moved(branch, self.resolve(key, branch), expected)
        if not is_sha(commit) or self.count(key, expected, commit):
            raise Conflict(f"The branch “{branch}” has changes of its own.")
        move_branch(path, branch, commit, expected)

    def size(self, key: str) -> int:
        """Bytes on disk, in whole blocks."""
        return _bytes_below(self._find(key))

    def serve(self, key: str, service: GitService) -> ServeCommand:
        """The command that serves a fetch or push over SSH."""
        path = self._find(key)
        limit = {"receive.maxInputSize": str(self._max_push_bytes)}
        arguments = ("git", service.removeprefix("git-"), str(path))
        return ServeCommand(arguments, git_environment(limit), str(path))

    def serve_http(self, key: str, request: Mapping[str, str]) -> ServeCommand:
        """The CGI command for one HTTP request. `PATH_INFO` in `request` is the path inside the
        repository; `NotFound` for anything but the smart protocol's three requests."""
        path = self._find(key)
        environment = cgi_environment(path, request, self._max_push_bytes)
        return ServeCommand(("git", "http-backend"), environment, str(path))

    def _place(self, key: str) -> Path:
        if not is_key(key):
            raise NotFound("There is no such repository.")
        return self._root / key[:2] / f"{key}.git"

    def _find(self, key: str) -> Path:
        path = self._place(key)
        if not path.is_dir():
            raise NotFound("There is no such repository.")
        return path

    def _walk(
        self, key: str, words: Sequence[str], span: tuple[str, str | None], unreadable: str
    ) -> bytes:
        """What git says of the commits of `span`, until and since. Which of the two is unknown is
        asked only when git refuses: one process instead of three."""
        path = self._find(key)
        start, end = _revision(span[0]), _revision(span[1]) if span[1] else None
        if start is None:
            raise Invalid("There is no such commit or branch in the repository.")
        walked = run_git(path, [*words, start, *([f"^{end}"] if end else []), "--"])
        if walked.returncode == 0:
            return walked.stdout
        if not _has_commit(path, start):
            raise Invalid("There is no such commit or branch in the repository.")
        if end and not _has_commit(path, end):
            return self._walk(key, words, (span[0], None), unreadable)
        raise Invalid(unreadable)


def _text(path: bytes) -> str | None:
    try:
        return path.decode()
    except UnicodeDecodeError:
        return None


def _check_branch(name: str) -> None:
    if not is_valid_branch_name(name):
        raise Invalid(f"“{name}” cannot be the name of a branch.", field="branch")


def _revision(name: str) -> str | None:
    if is_sha(name):
        return name
    return f"refs/heads/{name}" if is_valid_branch_name(name) else None


def _has_commit(path: Path, revision: str) -> bool:
    return run_git(path, ["cat-file", "-e", f"{revision}^{{commit}}"]).returncode == 0


def _commit_info(sha: str, name: str, email: str, at: str, subject: str) -> CommitInfo:
    return CommitInfo(sha.strip(), subject, name, email, moment_of(int(at or 0)))


def _bytes_below(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _bytes_below(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:  # git's own clean-up was faster
        return total
    return total
