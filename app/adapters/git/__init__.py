"""Where Git repositories live. `store.py` keeps bare repositories on disk.

Nobody outside this folder holds a repository path: callers say a repository's key (its uuid) and
get commits, archives and commands to run. Another storage node would change this folder only.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol


class GitService(StrEnum):
    """The two halves of the Git protocol: fetching and pushing."""

    UPLOAD_PACK = "git-upload-pack"
    RECEIVE_PACK = "git-receive-pack"


@dataclass(frozen=True)
class CommitInfo:
    """One commit. `sha` has 40 hex digits, `subject` is its first line."""

    sha: str
    subject: str
    author_name: str
    author_email: str
    committed_at: datetime.datetime


@dataclass(frozen=True)
class Author:
    """Who a commit of the panel is made for: the acting person."""

    name: str
    email: str


@dataclass(frozen=True)
class ServeCommand:
    """A process that speaks Git over its standard streams. `environment` is complete."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str


class Program(bytes):
    """Content for `RepositoryStore.commit` of a file that can be executed."""


class RepositoryStore(Protocol):
    """Repositories by key. `Invalid` for what cannot be used, `NotFound` for an unknown key."""

    def create(self, key: str, default_branch: str) -> None:
        """Make an empty bare repository; silent when it is there."""
        ...

    def delete(self, key: str) -> None:
        """Remove the repository with all it holds; silent when gone."""
        ...

    def branches(self, key: str) -> Mapping[str, str]:
        """Branch names and the sha each points to."""
        ...

    def resolve(self, key: str, branch: str) -> str | None:
        """The sha at the tip of `branch`, None when there is no such branch."""
        ...

    def tip(self, key: str, branch: str) -> CommitInfo | None:
        """The commit at the tip of `branch`, None when there is no such branch."""
        ...

    def log(self, key: str, until: str, since: str | None, limit: int) -> Sequence[CommitInfo]:
        """Newest first: commits reachable from `until` and not from `since`."""
        ...

    def count(self, key: str, until: str, since: str | None) -> int:
        """How many commits `log` would have without a limit. An unknown `since` counts as None."""
        ...

    def archive(self, key: str, commit: str) -> BinaryIO:
        """The tree of `commit` as an uncompressed tar stream; the caller closes it.

        Raises `Invalid` with a clear sentence for submodules, a link that leads out of the tree,
        or a tree that cannot be read.
        """
        ...

    def read_file(self, key: str, commit: str, path: str) -> bytes | None:
        """One file's content at `commit`, None when it is not there."""
        ...

    def list_files(self, key: str, commit: str, folder: str = "") -> Sequence[str]:
        """Paths of all files at `commit` below `folder`, by name; empty for an unknown commit."""
        ...

    def list_folder(self, key: str, commit: str, folder: str = "") -> Sequence[str]:
        """Names of the files and folders in `folder` itself, those of folders with a slash at
        their end; empty for an unknown commit or folder."""
        ...

    def read_files(
        self, key: str, commit: str, paths: Collection[str]
    ) -> Mapping[str, bytes | None]:
        """Several files' contents by path, as `read_file` gives each, in one go."""
        ...

    def commit(
        self,
        key: str,
        branch: str,
        changes: Mapping[str, bytes | None],
        message: str,
        author: Author,
        expected: str | None,
    ) -> str:
        """Write `changes` (None deletes) on top of `expected`, the tip as the caller saw it.

        Returns the new sha. Raises `Conflict` when the branch has moved meanwhile.
        """
        ...

    def fast_forward(self, key: str, branch: str, commit: str, expected: str) -> None:
        """Move `branch` from `expected`, its tip as the caller saw it, on to `commit`.

        Raises `Conflict` when it has moved meanwhile, or has commits that `commit` has not.
        """
        ...

    def size(self, key: str) -> int:
        """Bytes the repository takes on disk."""
        ...

    def serve(self, key: str, service: GitService) -> ServeCommand:
        """The command that serves a fetch or push over SSH."""
        ...

    def serve_http(self, key: str, request: Mapping[str, str]) -> ServeCommand:
        """The CGI command for one HTTP request; `request` holds its CGI variables."""
        ...
