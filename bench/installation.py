"""What the other benchmarks measure: a whole installation with real processes on its own engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from base_images.making import ensure
from tests.engine.private_engine import PrivateEngine
from tests.flows.running_panel import RunningPanel

CACHE = Path(tempfile.gettempdir())
PACKAGES = Path(os.environ.get("MOONBASE_TEST_CACHE", CACHE / "moonbase-base-images"))
"""Debian packages for base images; the tests keep theirs in the same place."""
WHEELS = CACHE / "moonbase-bench-wheels"


@contextmanager
def running_installation(
    base_images: Sequence[str],
    more: Mapping[str, str] | None = None,
) -> Iterator[tuple[RunningPanel, PrivateEngine]]:
    """A panel with the times of `make run` (none is shortened) and the base images it needs. `more`
    are variables it is started with."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="moonbase-bench-") as folder:
        ensure(base_images, engine.client().api, PACKAGES)
        panel = RunningPanel(Path(folder), engine.socket, engine.pool, times={}, more=more)
        try:
            yield panel.start(), engine
        finally:
            panel.stop()
