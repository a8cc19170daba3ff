"""A site with an addon on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.panel import Panel, copy_panel
from tests.publishing import sample


@pytest.fixture(scope="session")
def site_template(panel_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of `site`, to be copied."""
    home = tmp_path_factory.mktemp("site") / "data"
    panel = copy_panel(panel_template, home)
    sample.settle(panel)
    sample.install(panel)
    panel.close()
    return home


@pytest.fixture
def site(site_template: Path, tmp_path: Path) -> Iterator[Panel]:
    """`opening-hours` is installed on `demo`, and was not published yet."""
    panel = copy_panel(site_template, tmp_path / "data")
    yield panel
    panel.close()
