"""Jobs of `demo` under test: written down, released, due, run, in words of a test."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from app.adapters.engine import Engine, LogLine
from app.adapters.engine.fake import FakeEngine
from app.cron.clock import Clock
from app.cron.container import name_of
from app.cron.models import CronRun, RunStatus
from app.cron.operations import JobDraft, add_job, new_run
from app.cron.queries import released_jobs
from app.cron.runner import Runner
from app.deployments.models import CurrentRelease, Release
from app.extensions import db
from app.logs.queries import log_store
from tests.deployments import site
from tests.flows.processes import wait_for
from tests.panel import ALICE, Panel, environment, user_of

NOON = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.UTC)
DRAFT = JobDraft("Tidy up", "tidy --all", "*/10 * * * *")
SECRET = "the-secret-of-this-site"
TIDY = ("tidy", "--all")
FORM = {
    "label": "Tidy up",
    "command": "tidy --all",
    "period": "*/10 * * * *",
    "zone": "Europe/Zurich",
    "timeout_seconds": "600",
    "overlap": "skip",
}
"""The same as the page sends it."""


def at(minute: float, hour: int = 12) -> datetime.datetime:
    """A moment of one hour of one day."""
    return NOON.replace(hour=hour) + datetime.timedelta(minutes=minute)


def add(panel: Panel, draft: JobDraft = DRAFT, slug: str = "test", **changed: Any) -> str:
    """Write a job down; returns its uuid."""
    with panel.work():
        return add_job(environment(slug), replace(draft, **changed), user_of(ALICE)).uuid


def deploy(panel: Panel, slug: str = "test") -> None:
    """What is written down counts from now on."""
    site.commit(panel)
    done = site.deploy(panel, slug)
    assert done.status == "succeeded", done.sentence
    with panel.work():  # long before the times of these tests
        done = db.session.merge(done)
        done.started_at = NOON - datetime.timedelta(days=30)


def release(panel: Panel, jobs: list[Mapping[str, object]], slug: str = "test") -> None:
    """The same without a deployment, for tests that change releases often."""
    with panel.work():
        current = db.session.scalars(
            db.select(CurrentRelease).where(CurrentRelease.environment_id == environment(slug).id)
        ).one()
        db.session.get_one(Release, current.release_id).cron_jobs = [dict(job) for job in jobs]


def settle_run(panel: Panel, slug: str = "test") -> str:
    """A run of the first job that has ended well; its uuid."""
    with panel.work():
        release_id, (job, *_) = released_jobs(environment(slug).id)
        row = new_run(environment(slug).id, release_id, job)
        row.status, row.exit_code, row.started_at, row.ended_at = (
            RunStatus.SUCCEEDED,
            0,
            at(0),
            at(1),
        )
        db.session.add(row)
        db.session.flush()
        return row.uuid


def look(panel: Panel, moment: datetime.datetime, clock: Clock | None = None) -> int:
    """What the scheduler does; another one each time unless it is given."""
    with panel.reading():
        return (clock or Clock()).look(moment)


def due(panel: Panel, minute: float = 10.01) -> None:
    """Another scheduler looks: what became due by then is in rows."""
    look(panel, at(minute))


def runs(panel: Panel) -> list[CronRun]:
    """All, in the order they were made, readable after the session has gone."""
    with panel.reading():
        return list(db.session.scalars(db.select(CronRun).order_by(CronRun.id)))


def states(panel: Panel) -> list[str]:
    return [str(row.status) for row in runs(panel)]


def output(panel: Panel, row: CronRun, slug: str = "test") -> str:
    """What is kept of what it printed."""
    with panel.reading():
        return log_store().cron_run(environment(slug).uuid, row.uuid).read_all()


def containers(panel: Panel) -> list[str]:
    """Names of cron's containers in the engine."""
    found = panel.engine.list_containers({"moonbase.role": "cron"})
    return [state.name for state in found]


def end(panel: Panel, run: CronRun) -> None:
    """Let the run's command end well, once its container is there: the row is written before."""
    name = name_of(run.uuid)
    wait_for(lambda: panel.engine.inspect_container(name), 5)
    panel.engine.crash(name, 0)


class Mortal:
    """The engine as one runner sees it: once that is killed, its threads end at their next word."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine, self.is_dead = engine, False

    def __getattr__(self, name: str) -> Any:
        if self.is_dead:
            raise SystemExit
        return getattr(self._engine, name)

    def follow_logs(self, name: str, since: datetime.datetime | None) -> Iterator[LogLine]:
        for line in self._engine.follow_logs(name, since):
            if self.is_dead:
                raise SystemExit
            yield line


class Rounds:
    """A runner whose rounds a test makes happen."""

    def __init__(self, panel: Panel, places: int) -> None:
        self._panel, self.runner = panel, Runner(panel.app, places)
        self._engine = Mortal(panel.engine)
        self.runner._engine = cast(Engine, self._engine)

    def kill(self) -> None:
        """As kill -9 would: rows and containers stay as they are, and nobody watches."""
        self._engine.is_dead = True

    def look(self) -> None:
        with self._panel.reading():
            self.runner.look()
            db.session.remove()

    def until(self, *wanted: str) -> list[CronRun]:
        """Look until the runs stand so; returns them."""

        def stand_so() -> bool:
            self.look()
            return states(self._panel) == list(wanted)

        wait_for(stand_so, 8, f"not {wanted}")
        return runs(self._panel)

    def settle(self) -> None:
        """Look until nothing waits and nothing is watched."""

        def is_over() -> bool:
            self.look()
            is_waiting = RunStatus.WAITING.value in states(self._panel)
            return not is_waiting and not self.runner.count

        wait_for(is_over, 20, "runs do not come to an end")


@contextmanager
def running(panel: Panel, places: int = 8) -> Iterator[Rounds]:
    """A runner over the engine in memory. At the end it is as if it were killed."""
    rounds = Rounds(panel, places)
    yield rounds

    def is_over() -> bool:
        for name in containers(panel):
            panel.engine.remove_container(name)
        return not rounds.runner.count

    wait_for(is_over, 5, "threads outlive their containers")
