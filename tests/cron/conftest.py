"""What tests of cron jobs share."""

from __future__ import annotations

import pytest

from app.adapters.engine.fake import ScriptedRun
from app.variables.operations import set_variable
from tests.cron import jobs
from tests.cron.jobs import SECRET, TIDY, at
from tests.panel import ALICE, Panel, environment, user_of


@pytest.fixture
def site(panel: Panel) -> Panel:
    """`demo` with a job that is due each ten minutes, and a clock that has looked at noon."""
    with panel.work():
        set_variable(environment("test"), "TOKEN", SECRET, True, user_of(ALICE))
    panel.engine.script(TIDY, ScriptedRun())
    jobs.add(panel)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    return panel
