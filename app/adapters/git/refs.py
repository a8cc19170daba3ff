"""Where branches point, read without starting git: pages ask for it all the time."""

from __future__ import annotations

import os
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


def swap_branch(repository: Path, branch: str, new: str, old: str) -> bool:
    """Point `branch`, a valid name, from `old` to `new`, as git does it: a lock file beside it,
    renamed over it. False, and nothing is done, where that is not plain: it stands elsewhere, it
    is kept in `packed-refs`, somebody holds the lock. git itself is to be asked then.
    """
    file = repository / "refs" / "heads" / branch
    lock = file.with_name(f"{file.name}.lock")
    if (repository / "logs").exists() or not file.is_file() or file.is_symlink():
        return False
    try:
        held = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
    except OSError:
        return False
    is_moved = False
    try:
        with os.fdopen(held, "w") as written:
            os.fchmod(held, 0o660)  # as core.sharedRepository has it, whatever the umask
            written.write(f"{new}\n")
        if file.read_text().strip() == old:
            lock.rename(file)
            is_moved = True
    except (OSError, ValueError):
        return False
    finally:
        if not is_moved:  # once it is renamed, a lock of that name is somebody else's
            lock.unlink(missing_ok=True)
    return is_moved
