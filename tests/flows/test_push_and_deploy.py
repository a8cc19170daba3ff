"""From a push to a live page and back, with every process real."""

from __future__ import annotations

from app.deployments.models import DeploymentStatus
from tests.flows.running_panel import RunningPanel


def test_a_pushed_page_is_served_and_the_next_one_replaces_it(panel: RunningPanel) -> None:
    panel.create_application("first")
    panel.push_page("first", "one")
    done = panel.deploy("first")
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    assert panel.get("first").body == "one"
    panel.push_page("first", "two")
    done = panel.deploy("first")
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    assert panel.get("first").body == "two"
    assert done.receipt is not None
    assert done.receipt.sent > 0
    assert done.receipt.failed == 0
