"""Limits for several processes together: memory, processor and number of processes.

One group for each build and each question to an addon, for as long as it takes.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.adapters.engine import Limits

CGROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds; the kernel's default for processor quotas
_V1_CONTROLLERS = ("memory", "pids", "cpu")
# A killed process's group goes a moment after it: tries, and seconds between them, which double.
_TRIES, _FIRST_PAUSE, _PAUSE = 50, 0.001, 0.05


@dataclass(frozen=True)
class Purpose:
    """What groups are for. `prefix` begins their names; then comes the pid of the maker, which
    tells whether it still lives. `delegated` is where a user other than root may make them."""

    prefix: str
    delegated: str


BUILDS = Purpose("moonbase-build-", "moonbase-builds")
SANDBOXES = Purpose("moonbase-sandbox-", "moonbase-sandboxes")


@dataclass(frozen=True)
class Group:
    """One group. `path` is as Docker wants it, e.g. `/moonbase-build-1f…`; `folders` are where it
    lies: one under cgroup v2, one a controller under v1."""

    path: str
    folders: tuple[Path, ...]


@contextmanager
def limited_cgroup(
    purpose: Purpose, limits: Limits, root: Path = CGROUPS
) -> Iterator[Group | None]:
    """A group with these limits; None when none can be made.

    It is gone afterwards, or once the next one is made when this process is killed meanwhile.
    """
    _sweep_abandoned(purpose, root)
    name = f"{_parent(purpose, root)}{purpose.prefix}{os.getpid()}-{uuid.uuid4().hex[:12]}"
    try:
        _make(name, limits, root)
    except OSError:  # not root, a read-only mount, a controller that is missing
        _remove(name, root)
        yield None
        return
    try:
        yield Group(f"/{name}", tuple(folder / name for folder in _tops(root)))
    finally:
        _remove(name, root)


def delegate_cgroups(purpose: Purpose, user: int, root: Path = CGROUPS) -> None:
    """Let `user` (its number) make such groups, in a group of its own; only root can do this.

    Silent where there are no cgroups to give: what they would limit then runs without.
    """
    with suppress(OSError):
        for folder in _tops(root):
            group = folder / purpose.delegated
            if folder == root:
                (root / "cgroup.subtree_control").write_text("+memory +pids +cpu")
            group.mkdir(exist_ok=True)
            for path in (group, *group.glob("cgroup.procs"), *group.glob("cgroup.subtree_control")):
                os.chown(path, user, -1)


def _tops(root: Path) -> list[Path]:
    """The folders groups are made in: one under cgroup v2, one a controller under v1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return [root / controller for controller in _V1_CONTROLLERS]


def _parent(purpose: Purpose, root: Path) -> str:
    """Where this process makes its groups: at the top as root, else in what it was given."""
    given = [folder / purpose.delegated for folder in _tops(root)]
    is_given = os.geteuid() != 0 and all(os.access(folder, os.W_OK) for folder in given)
    return f"{purpose.delegated}/" if is_given else ""


def can_make_cgroups(purpose: Purpose, root: Path = CGROUPS) -> bool:
    """Whether this process may make such groups: tried, not guessed."""
    with limited_cgroup(purpose, Limits(memory_bytes=2**24, cpus=1.0, pids=10), root) as group:
        return group is not None


def cpu_quota(limits: Limits) -> tuple[int, int]:
    """(quota, period) in microseconds, as the kernel and Docker want a share of processors."""
    return round(limits.cpus * _PERIOD), _PERIOD


def _make(name: str, limits: Limits, root: Path) -> None:
    quota, period = cpu_quota(limits)
    if (root / "cgroup.controllers").exists():
        group = root / name
        (group.parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        group.mkdir()
        (group / "memory.max").write_text(str(limits.memory_bytes))
        _if_there(group / "memory.swap.max", "0")
        (group / "pids.max").write_text(str(limits.pids))
        (group / "cpu.max").write_text(f"{quota} {period}")
        return
    for controller in _V1_CONTROLLERS:
        (root / controller / name).mkdir()
    memory = root / "memory" / name
    (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
    # Memory and swap together; kernels without swap accounting have no such file.
    _if_there(memory / "memory.memsw.limit_in_bytes", str(limits.memory_bytes))
    (root / "pids" / name / "pids.max").write_text(str(limits.pids))
    (root / "cpu" / name / "cpu.cfs_period_us").write_text(str(period))
    (root / "cpu" / name / "cpu.cfs_quota_us").write_text(str(quota))


def _if_there(file: Path, text: str) -> None:
    if file.exists():
        file.write_text(text)


def _sweep_abandoned(purpose: Purpose, root: Path) -> None:
    """Remove the groups whose maker was killed. The kernel refuses those with processes in them."""
    given = ("", f"{purpose.delegated}/")
    patterns = (f"{top}{below}{purpose.prefix}*" for top in ("", "*/") for below in given)
    for group in (found for pattern in patterns for found in root.glob(pattern)):
        pid = group.name.removeprefix(purpose.prefix).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            # Groups of containers whose engine was killed lie in it, too.
            for one in (*sorted(group.rglob("*/"), reverse=True), group):
                with suppress(OSError):
                    one.rmdir()


def _remove(name: str, root: Path) -> None:
    # Under v1 Docker makes the same path in the controllers we did not ask for, too.
    for count in range(_TRIES):
        left = [group for group in (root / name, *root.glob(f"*/{name}")) if group.exists()]
        for group in left:
            with suppress(OSError):
                group.rmdir()
        if not any(group.exists() for group in left):
            return
        time.sleep(min(_FIRST_PAUSE * 2**count, _PAUSE))
