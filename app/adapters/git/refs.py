"""Where branches point, read without starting git: pages ask for it all the time."""

from __future__ import annotations

from pathlib import Path

from app.adapters.git.commands import is_sha
from app.adapters.git.running import run_git


def read_branch(repository: Path, branch: str) -> str | None:
    """The sha at the tip of `branch`, a valid name; None when there is no such branch.

    A file of its own has it, or a line of `packed-refs`, the file first (gitrepository-layout(5)).
    """
    name = f"refs/heads/{branch}"
    try:
        text = (repository / name).read_text().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return _packed(repository, name)
    if is_sha(text):
        return text
    asked = run_git(repository, ["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"])
    return asked.stdout.decode().strip() or None


def _packed(repository: Path, name: str) -> str | None:
    try:
        lines = (repository / "packed-refs").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    wanted = name.encode(errors="surrogateescape")
    for line in lines:
        sha, _, found = line.partition(b" ")
        if found == wanted:
            return sha.decode()
    return None
