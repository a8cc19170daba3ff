"""A cgroup around all containers of one build: memory, processor and number of processes.

The classic builder limits memory and processor of each container, but not how many processes it
has. Its containers can be put under a parent group, whose limits hold for them all together.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.adapters.engine import Limits

CGROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds; the kernel's default for processor quotas
PREFIX = "moonbase-build-"  # then the pid of the maker, which tells whether it still lives
DELEGATED = "moonbase-builds"  # where a user other than root may make them
_V1_CONTROLLERS = ("memory", "pids", "cpu")
# A killed container's group goes a moment after it: tries and seconds between them.
_TRIES, _PAUSE = 50, 0.05


@contextmanager
def build_cgroup(limits: Limits, root: Path = CGROUPS) -> Iterator[str | None]:
    """A group's path for Docker, e.g. `/moonbase-build-1f…`; None when none can be made.

    It is gone afterwards, or once the next one is made when this process is killed meanwhile. Only
    for an engine on this kernel with the `cgroupfs` driver.
    """
    _sweep_abandoned(root)
    name = f"{_parent(root)}{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:12]}"
    try:
        _make(name, limits, root)
    except OSError:  # not root, a read-only mount, a controller that is missing
        _remove(name, root)
        yield None
        return
    try:
        yield f"/{name}"
    finally:
        _remove(name, root)


def delegate_builds(user: int, root: Path = CGROUPS) -> None:
    """Let `user` (its number) make such groups, in a group of its own; only root can do this.

    Silent where there are no cgroups to give: builds then run without a limit on processes.
    """
    with suppress(OSError):
        for folder in _tops(root):
            group = folder / DELEGATED
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


def _parent(root: Path) -> str:
    """Where this process makes its groups: at the top as root, else in what it was given."""
    given = [folder / DELEGATED for folder in _tops(root)]
    is_given = os.geteuid() != 0 and all(os.access(folder, os.W_OK) for folder in given)
    return f"{DELEGATED}/" if is_given else ""


def can_make_cgroups(root: Path = CGROUPS) -> bool:
    """Whether this process may make such groups: tried, not guessed."""
    with build_cgroup(Limits(memory_bytes=2**24, cpus=1.0, pids=10), root) as path:
        return path is not None


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


def _sweep_abandoned(root: Path) -> None:
    """Remove the groups whose maker was killed. The kernel refuses those with processes in them."""
    patterns = (f"{top}{given}{PREFIX}*" for top in ("", "*/") for given in ("", f"{DELEGATED}/"))
    for group in (found for pattern in patterns for found in root.glob(pattern)):
        pid = group.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            # Groups of containers whose engine was killed lie in it, too.
            for one in (*sorted(group.rglob("*/"), reverse=True), group):
                with suppress(OSError):
                    one.rmdir()


def _remove(name: str, root: Path) -> None:
    # Under v1 Docker makes the same path in the controllers we did not ask for, too.
    for _ in range(_TRIES):
        left = [group for group in (root / name, *root.glob(f"*/{name}")) if group.exists()]
        for group in left:
            with suppress(OSError):
                group.rmdir()
        if not any(group.exists() for group in left):
            return
        time.sleep(_PAUSE)
