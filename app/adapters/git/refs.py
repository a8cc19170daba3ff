"""Where branches point, read without starting git: pages ask for it all the time."""

from __future__ import annotations

from pathlib import Path

import git
from git.refs.symbolic import SymbolicReference


def read_branch(repository: Path, branch: str) -> str | None:
    """The sha at the tip of `branch`, a valid name; None when there is no such branch."""
    with git.Repo(repository) as repo:
        try:
            return str(SymbolicReference.dereference_recursive(repo, f"refs/heads/{branch}"))
        except ValueError:
            return None
