"""kill -9 of the worker at each step of a deployment: nobody notices but the one who deploys."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.pipeline import DEPLOY, POINT_OF_NO_RETURN
from tests.flows.deaths import plan_death
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.leftovers import require_no_leftovers, take_snapshot
from tests.flows.paced_site import Pace, PacedSite
from tests.flows.running_panel import SHORT_TIMES
from tests.flows.visitors import visiting

GROUP = "The worker is killed (kill -9) during a deployment"
LIMIT = float(SHORT_TIMES["LEASE"]) + 3
"""Seconds until a deployment without a worker is final: the lease, then a round of the scheduler,
a new job and undoing what was begun."""
TITLES = {step.name: step.title for step in DEPLOY}
NAMES = [step.name for step in DEPLOY]


@dataclass(frozen=True)
class Death:
    """Where the worker dies: `after` seconds into the step, which takes longer than that."""

    step: str
    after: float = 0
    pace: Pace = field(default_factory=Pace)
    is_old_one_stubborn: bool = False

    def __str__(self) -> str:
        return f"{self.step}-{'middle' if self.after else 'start'}"

    @property
    def is_after_switch(self) -> bool:
        return NAMES.index(self.step) > NAMES.index(POINT_OF_NO_RETURN)


LONG = [
    Death("build_image", 1, Pace(build=30)),
    Death("run_release_commands", 1, Pace(command=30)),
    Death("wait_until_healthy", 1, Pace(start=4)),
]
"""Steps in which little has been done before they wait: there the worker dies while they do."""
DEATHS = [
    *(Death(name) for name in NAMES if name not in {one.step for one in LONG}),
    *LONG,
    Death("switch_traffic", 0.4),
    Death("retire", 0.7, is_old_one_stubborn=True),
]


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_a_worker_killed_at_a_step(fault_site: PacedSite, death: Death) -> None:
    panel, site = fault_site.panel, fault_site
    if death.is_old_one_stubborn:
        site.deploy(is_stubborn=True)
    before = take_snapshot(panel)
    with visiting(panel, site.slug) as visitors:
        page = site.push(death.pace)
        plan = plan_death(panel.folder / "deaths", death.step, death.after)
        uuid = panel.request(site.slug)
        site.wait_for_death(plan, uuid)
        died = time.monotonic()
        done = panel.wait(uuid, 20)
        seconds = time.monotonic() - died
        _require_outcome(site, death, page, done)
        require_no_leftovers(panel, before)
        site.deploy()
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    where = "In the middle of" if death.after else "At the start of"
    status = (
        "Another worker finishes it" if death.is_after_switch else "Undone; the old site serves on"
    )
    fault = f"{where} “{TITLES[death.step]}”"
    record_fault(Fault(GROUP, fault, status, visitors.sent, visitors.lost, seconds, LIMIT))
    require_in_time(seconds, LIMIT)


def _require_outcome(site: PacedSite, death: Death, page: str, done: Deployment) -> None:
    log = site.panel.log(done.uuid)
    assert all(step.ended_at for step in done.steps), log
    if death.is_after_switch:
        assert done.status == DeploymentStatus.SUCCEEDED, log
        site.page = page
    else:
        assert done.status == DeploymentStatus.FAILED, log
        assert "ended unexpectedly" in done.sentence
    site.require_page(site.page)
