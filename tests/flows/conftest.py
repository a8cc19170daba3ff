"""Running installations for flow tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.private_engine import PrivateEngine
from tests.flows.running_panel import RunningPanel


@pytest.fixture(scope="session")
def panel(
    private_engine: PrivateEngine, static_base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPanel]:
    """One installation that tests share; each makes applications of its own in it."""
    folder = tmp_path_factory.mktemp("panel")
    running = RunningPanel(folder, private_engine.socket, private_engine.pool)
    try:
        yield running.start()
    finally:
        running.stop()
