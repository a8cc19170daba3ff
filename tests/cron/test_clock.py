"""What is due is written down: once, on time, and visibly when nobody was there."""

from __future__ import annotations

import datetime
import time

import pytest

from app.applications.models import Application
from app.cron.clock import Clock
from app.cron.models import CronRun
from app.deployments.models import Build, CurrentRelease, Deployment, DeploymentKind, Release
from app.environments.models import Environment
from app.extensions import db
from app.lifecycle.trash import trash_application
from app.regions.queries import LOCAL, find_region
from tests.cron import jobs
from tests.cron.jobs import at
from tests.panel import ALICE, Panel, application, user_of


@pytest.fixture
def due(panel: Panel) -> Panel:
    """A job each ten minutes, deployed, and a clock that has looked at noon."""
    jobs.add(panel)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    return panel


def told(panel: Panel) -> list[tuple[str, str, int]]:
    return [(f"{row.due_at:%H:%M}", str(row.status), row.attempt) for row in jobs.runs(panel)]


def test_a_job_is_due_at_its_minute_and_once(due: Panel) -> None:
    clock = Clock()
    for minute in (2, 9.99, 10.02, 10.5, 11, 19.5):
        jobs.look(due, at(minute), clock)
    assert told(due) == [("12:10", "waiting", 1)]
    row = jobs.runs(due)[0]
    assert (row.label, row.command, row.timeout_seconds) == ("Tidy up", "tidy --all", 600)


def test_another_scheduler_goes_on_where_the_one_before_stopped(due: Panel) -> None:
    jobs.look(due, at(10.02))
    jobs.look(due, at(10.03))
    jobs.look(due, at(20.02))
    assert told(due) == [("12:10", "waiting", 1), ("12:20", "waiting", 1)]


def test_two_schedulers_at_once_write_no_run_twice(due: Panel) -> None:
    first, second = Clock(), Clock()
    for clock in (first, second, first, second):
        jobs.look(due, at(9), clock)
    for minute in (10.01, 20.01):
        for clock in (first, second):
            jobs.look(due, at(minute), clock)
    assert told(due) == [("12:10", "waiting", 1), ("12:20", "waiting", 1)]


def test_a_run_is_late_after_a_short_break(due: Panel) -> None:
    """A scheduler that was killed at the full minute is back within seconds."""
    jobs.look(due, at(11))
    assert told(due) == [("12:10", "waiting", 1)]


def test_what_was_missed_is_one_line(due: Panel) -> None:
    jobs.look(due, at(45))
    assert told(due) == [("12:40", "missed", 1)]
    assert "4 times from 2026-06-01 12:10" in jobs.runs(due)[0].sentence
    jobs.look(due, at(50.01))
    assert told(due)[1:] == [("12:50", "waiting", 1)]


def test_back_just_in_time_for_the_last_of_many(due: Panel) -> None:
    jobs.look(due, at(40.5))
    assert told(due) == [("12:30", "missed", 1), ("12:40", "waiting", 1)]
    assert "3 times" in jobs.runs(due)[0].sentence


def test_a_long_absence_is_quick_to_tell(due: Panel) -> None:
    began = time.monotonic()
    jobs.look(due, at(5) + datetime.timedelta(days=400))
    assert time.monotonic() - began < 1
    assert "500 times or more" in jobs.runs(due)[0].sentence


def test_a_job_that_allows_it_makes_up_for_what_was_missed_once(panel: Panel) -> None:
    jobs.add(panel, repeats_lost=True)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    jobs.look(panel, at(45))
    assert told(panel) == [("12:40", "missed", 1), ("12:40", "waiting", 2)]
    assert jobs.runs(panel)[1].cause == "again"


def test_nothing_is_missed_before_the_first_look_or_the_release(panel: Panel) -> None:
    jobs.add(panel)
    jobs.deploy(panel)
    jobs.look(panel, at(45))
    assert told(panel) == []
    with panel.work():
        db.session.execute(db.update(Deployment).values(started_at=at(75)))
    jobs.look(panel, at(85))  # a scheduler that begins, an hour and a half later
    assert told(panel) == [("13:20", "missed", 1)]
    assert "when it was due." in jobs.runs(panel)[0].sentence


def test_changes_count_from_the_next_deployment_on(due: Panel) -> None:
    clock = Clock()
    jobs.look(due, at(2), clock)
    jobs.add(due, label="New", schedule="* * * * *")
    jobs.look(due, at(3.01), clock)
    assert told(due) == []
    jobs.deploy(due)
    jobs.look(due, at(4.01), clock)
    assert told(due) == [("12:04", "waiting", 1)]


def test_nothing_runs_in_the_trash_and_nothing_is_made_up_for(due: Panel) -> None:
    clock = Clock()
    jobs.look(due, at(2), clock)
    with due.work():
        trash_application(application(), user_of(ALICE))
    for minute in (10.01, 11, 29.99):
        jobs.look(due, at(minute), clock)
    with due.work():
        db.session.execute(db.update(Application).values(trashed_at=None))
    jobs.look(due, at(30.5), clock)
    assert told(due) == [("12:30", "waiting", 1)]


def test_a_thousand_environments_with_500_jobs_due(panel: Panel) -> None:
    jobs.deploy(panel)
    job = {
        "uuid": "j", "label": "Due", "command": "true", "schedule": "10 * * * *", "zone": "UTC",
        "timeout_seconds": 600, "overlap": "skip", "repeats_lost": False,
    }  # fmt: skip
    _settle_environments(panel, 1000, job)
    clock = Clock()
    jobs.look(panel, at(1), clock)
    seconds = []
    for minute in (2, 3, 10.01, 11):
        began = time.monotonic()
        jobs.look(panel, at(minute), clock)
        seconds.append(time.monotonic() - began)
    print("seconds of four looks:", *(f"{one:.3f}" for one in seconds))
    with panel.reading():
        assert db.session.scalar(db.select(db.func.count(CronRun.id))) == 500
    assert max(seconds) < 2 and min(seconds) < 0.2


def _settle_environments(panel: Panel, count: int, job: dict[str, object]) -> None:
    """Half of them have the job, the others one that is never due today."""
    with panel.work():
        region, model = find_region(LOCAL), db.session.scalars(db.select(Release)).one()
        assert region
        number = application().id
        rows = [
            Environment(application_id=number, region_id=region.id, slug=f"e{n}", name=f"E{n}")
            for n in range(count)
        ]
        db.session.add_all(rows)
        db.session.flush()
        build = db.session.scalars(db.select(Build)).one()
        for place, row in enumerate(rows):
            mine = job if place % 2 else {**job, "schedule": "0 3 1 1 *"}
            release = Release(
                environment_id=row.id, build_id=build.id, number=1, commit="c", image="i",
                encrypted_variables="{}", secrets="[]", port=80, containers=1,
                limits=model.limits, cron_jobs=[mine],
            )  # fmt: skip
            deployment = Deployment(
                environment_id=row.id, kind=DeploymentKind.DEPLOY, status="succeeded", commit="c"
            )
            db.session.add_all([release, deployment])
            db.session.flush()
            db.session.add(
                CurrentRelease(
                    environment_id=row.id, release_id=release.id, deployment_id=deployment.id
                )
            )
