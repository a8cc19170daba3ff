"""A cgroup around all containers of one build: memory, processor and number of processes.

The classic builder limits memory and processor of each container, but not how many processes it
has. Its containers can be put under a parent group, whose limits hold for them all together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.adapters.cgroups import BUILDS, CGROUPS, limited_cgroup
from app.adapters.engine import Limits


@contextmanager
def build_cgroup(limits: Limits, root: Path = CGROUPS) -> Iterator[str | None]:
    """A group's path for Docker, e.g. `/moonbase-build-1f…`; None when none can be made.

    Only for an engine on this kernel with the `cgroupfs` driver.
    """
    with limited_cgroup(BUILDS, limits, root) as group:
        yield group.path if group else None
