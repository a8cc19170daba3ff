"""A site with an addon on it."""

from __future__ import annotations

import pytest

from tests.panel import Panel
from tests.publishing import sample


@pytest.fixture
def site(panel: Panel) -> Panel:
    """`opening-hours` is installed on `demo`, and was not published yet."""
    sample.settle(panel)
    sample.install(panel)
    return panel
