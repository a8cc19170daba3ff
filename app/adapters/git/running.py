"""Starting and ending git processes, each in a process group of its own, for store and cgi."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.adapters.git.commands import git_environment
from app.errors import NotFound, Unavailable

_PLUMBING_LIMIT = 120.0  # seconds; the slowest (ls-tree of a huge repository) takes a few
_GRACE = 2.0  # seconds between asking and killing; git tidies its temporary files meanwhile


def run_git(
    repository: Path,
    arguments: Sequence[str],
    *,
    given: bytes = b"",
    extra: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a short git command in a bare repository and return it, whatever its exit code.

    Raises `Unavailable` when it does not end within two minutes or git is not installed, and
    `NotFound` for a repository that has just been deleted.
    """
    environment = git_environment(extra={"GIT_DIR": str(repository), **(extra or {})})
    try:
        return subprocess.run(
            ["git", *arguments],
            input=given,
            capture_output=True,
            env=environment,
            cwd=repository,
            timeout=_PLUMBING_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable("The repository takes too long to read.") from error
    except FileNotFoundError as error:
        if not repository.is_dir():  # deleted since it was looked up
            raise NotFound("There is no such repository.") from error
        raise Unavailable("Git is not installed on this machine.", retry=False) from error


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; silent when it is gone."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process started with `start_new_session` and all its children; reaps it."""
    if process.returncode is not None:
        return
    signal_group(process.pid, signal.SIGTERM)
    # Watched without reaping, so that the number of the group cannot be given away meanwhile.
    watched = os.WEXITED | os.WNOHANG | os.WNOWAIT
    until = time.monotonic() + _GRACE
    while os.waitid(os.P_PID, process.pid, watched) is None and time.monotonic() < until:
        time.sleep(0.01)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
