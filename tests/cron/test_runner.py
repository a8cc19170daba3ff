"""Runs from their row to their end: on time, within limits, at most once, visibly."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from app.adapters.engine import ContainerState
from app.adapters.engine.fake import ScriptedRun
from app.cron import turns
from app.cron.container import name_of
from app.cron.history import KEPT_RUNS, forget_old_runs
from app.cron.models import CronRun, RunStatus
from app.cron.output import HEAD_BYTES, TAIL_BYTES
from app.deployments.models import Release
from app.deployments.reconcile import reconcile
from app.errors import Invalid, Unavailable
from app.extensions import db, now
from app.installation import installation
from app.logs.queries import log_store
from app.runtime.models import Overlap
from tests.cron import jobs
from tests.cron.jobs import SECRET, TIDY, at, due, running
from tests.flows.processes import wait_for
from tests.panel import Panel, environment


def test_a_run_that_goes_well(site: Panel) -> None:
    lines = ("tidying", f"with {SECRET} in the open", "done")
    site.engine.script(TIDY, ScriptedRun(lines))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("succeeded")
        rounds.settle()
    assert run.exit_code == 0 and run.seconds is not None and run.lease_token is None
    assert jobs.output(site, run) == "tidying\nwith •••••••• in the open\ndone\n"
    spec = site.engine.specs[name_of(run.uuid)]
    with site.reading():
        release = db.session.scalars(db.select(Release)).one()
        assert spec.image == release.image and spec.environment == release.variables
        assert spec.environment["TOKEN"] == SECRET
        assert spec.limits.memory_bytes == release.limits["memory_bytes"]
        assert spec.network == f"moonbase-{environment('test').uuid}"
    assert spec.command == TIDY and not spec.restarts
    assert jobs.containers(site) == []


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (ScriptedRun(exit_code=3), "exit code 3"),
        (ScriptedRun(exit_code=137, oom_killed=True), "more memory than the plan allows"),
    ],
)
def test_a_run_that_fails(site: Panel, script: ScriptedRun, sentence: str) -> None:
    site.engine.script(TIDY, script)
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("failed")
    assert sentence in run.sentence and run.exit_code == script.exit_code
    assert jobs.containers(site) == []


def test_a_command_that_is_not_in_the_image(site: Panel) -> None:
    site.engine.fail_next("start_container", Invalid("The command “tidy” is not in the image."))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("failed")
    assert "is not in the image" in run.sentence and run.started_at is None


def test_a_command_that_never_ends_is_stopped(panel: Panel) -> None:
    jobs.add(panel, timeout_seconds=1)
    jobs.deploy(panel)
    panel.engine.script(TIDY, ScriptedRun(("still here",), seconds=99))
    jobs.look(panel, at(1))
    due(panel)
    with running(panel) as rounds:
        (run,) = rounds.until("timed_out")
        rounds.settle()
    assert run.sentence == "It ran longer than 1 second and was stopped."
    assert 1 <= (run.seconds or 0) < 3
    assert jobs.output(panel, run) == "still here\n" and jobs.containers(panel) == []


def test_a_command_that_prints_and_prints(site: Panel) -> None:
    """The beginning and the end are kept; in between nothing is even read."""
    lines = tuple(f"line {number} {'x' * 200}" for number in range(20_000))
    site.engine.script(TIDY, ScriptedRun(lines))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("succeeded")
    kept = jobs.output(site, run)
    assert len(kept) < HEAD_BYTES + TAIL_BYTES + 1000
    assert kept.startswith("line 0 ") and "line 19999 " in kept[-300:]
    assert kept.count("More was printed here than is kept") == 1
    assert "line 2000 " in kept and "line 10000 " not in kept and "line 18000 " in kept


def test_a_full_disk_is_no_reason_to_lose_sight_of_a_run(site: Panel) -> None:
    with site.reading():
        folder = log_store().cron_run(environment("test").uuid, "x").directory.parent.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")  # stands for a disk that takes nothing
    site.engine.script(TIDY, ScriptedRun(("one", "two")))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("succeeded")
    assert run.exit_code == 0 and jobs.containers(site) == []


# Overlaps -----------------------------------------------------------------------------------


def test_while_one_runs_the_next_is_skipped(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(seconds=99))
    due(site)
    with running(site) as rounds:
        (first,) = rounds.until("running")
        due(site, 20.01)
        rounds.until("running", "skipped")
        jobs.end(site, first)
        rounds.until("succeeded", "skipped")
    assert jobs.runs(site)[1].sentence == turns.STILL_RUNS


def test_one_that_waits_waits_and_only_one(panel: Panel) -> None:
    jobs.add(panel, overlap=Overlap.WAIT)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    panel.engine.script(TIDY, ScriptedRun(seconds=99))
    due(panel)
    with running(panel) as rounds:
        (first,) = rounds.until("running")
        due(panel, 20.01)
        rounds.until("running", "waiting")
        due(panel, 30.01)
        rounds.until("running", "waiting", "skipped")
        panel.engine.script(TIDY, ScriptedRun())
        jobs.end(panel, first)
        rounds.until("succeeded", "succeeded", "skipped")


def test_runs_beside_each_other_where_that_is_wanted(panel: Panel) -> None:
    jobs.add(panel, overlap=Overlap.RUN)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    panel.engine.script(TIDY, ScriptedRun(seconds=99))
    with running(panel) as rounds:
        for minute in (10.01, 20.01, 30.01, 40.01, 50.01):
            due(panel, minute)
        rounds.until("running", "running", "running", "running", "waiting")
    assert turns.PER_ENVIRONMENT == 4  # the fifth is not taken: places of one environment


def test_places_are_given_in_the_order_things_were_due(panel: Panel) -> None:
    for number in range(3):
        jobs.add(panel, label=f"Job {number}", command=f"job {number}")
        panel.engine.script(("job", str(number)), ScriptedRun(seconds=99))
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    due(panel)
    with running(panel, places=2) as rounds:
        first, _, _ = rounds.until("running", "running", "waiting")
        jobs.end(panel, first)
        rounds.until("succeeded", "running", "running")


# Killed, and begun anew ----------------------------------------------------------------------


KILLED = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@KILLED
def test_a_run_outlives_its_runner(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(("before",), seconds=99))
    due(site)
    with running(site) as dead:
        (run,) = dead.until("running")
        wait_for(lambda: jobs.runs(site)[0].started_at, 5)
        dead.kill()
        site.engine.write(name_of(run.uuid), "meanwhile")
        with running(site) as rounds:
            rounds.look()
            wait_for(lambda: jobs.runs(site)[0].lease_token == rounds.runner.token, 5)
            site.engine.write(name_of(run.uuid), "after")
            jobs.end(site, run)
            rounds.until("succeeded")
    assert jobs.output(site, jobs.runs(site)[0]) == "before\nmeanwhile\nafter\n"
    started = [what for what in site.engine.calls if what[0] == "start_container"]
    assert [name for _, name in started].count(name_of(run.uuid)) == 1


def test_one_that_nobody_watches_grows_old_and_is_found(site: Panel) -> None:
    due(site)
    with site.work():
        (run,) = db.session.scalars(db.select(CronRun))
        long_ago = now() - datetime.timedelta(minutes=1)
        run.status, run.lease_token, run.heartbeat_at = RunStatus.RUNNING, "mine", long_ago
        number = run.id
    with site.reading():
        turns.beat("mine", [])
        assert db.session.get_one(CronRun, number).heartbeat_at == long_ago
        db.session.rollback()
        turns.beat("mine", [number])
        assert db.session.get_one(CronRun, number).heartbeat_at > long_ago


@KILLED
def test_a_run_that_ended_while_nobody_watched(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(seconds=99))
    due(site)
    with running(site) as dead:
        (run,) = dead.until("running")
        wait_for(lambda: jobs.containers(site), 5)
        dead.kill()
    # Its container was removed by the first `running`: the engine still has it in what follows.
    with site.work():
        row = db.session.get_one(CronRun, run.id)
        row.lease_token, row.heartbeat_at = "of the dead", now()
    site.engine.script(TIDY, ScriptedRun(("all of it",), exit_code=4))
    site.engine.start_container(site.engine.specs[name_of(run.uuid)])
    site.engine.age(name_of(run.uuid), 3600)  # longer ago than its time limit
    with running(site) as rounds:
        rounds.until("failed")
    found = jobs.runs(site)[0]
    assert jobs.output(site, found) == "all of it\n" and "exit code 4" in found.sentence
    assert jobs.containers(site) == []


@pytest.mark.parametrize("has_container", [False, True])
def test_one_whose_start_is_not_known_is_unknown(site: Panel, has_container: bool) -> None:
    due(site)
    row = claimed_by_the_dead(site)
    if has_container:  # made, and not started
        site.engine.fail_next("start_container", Unavailable("away"))
        never_started(site, row)
    with running(site) as rounds:
        rounds.look()
        assert jobs.states(site) == ["running"]  # a start may still be on its way
        with site.work():
            found = db.session.get_one(CronRun, row.id)
            found.heartbeat_at = now() - datetime.timedelta(seconds=60)
        rounds.runner._adopted_at = float("-inf")
        rounds.until("unknown")
    assert "whether it ran is not known" in jobs.runs(site)[0].sentence
    assert jobs.containers(site) == []


def claimed_by_the_dead(panel: Panel, token: str = "of the dead") -> CronRun:
    """Killed between saying so and asking the engine."""
    with panel.reading():
        assert turns.claim(token, 5)
    return jobs.runs(panel)[0]


def never_started(panel: Panel, row: CronRun) -> None:
    """The engine has made its container and was not asked to start it."""
    engine = panel.engine
    engine._failures.clear()
    with panel.reading():
        spec = next(iter(engine.specs.values()))
        labels = {**spec.labels, "moonbase.role": "cron"}
    name = name_of(row.uuid)
    engine._create(replace(spec, name=name, labels=labels, address=None))
    state: ContainerState | None = engine.inspect_container(name)
    assert state is not None and state.started_at is None


def test_one_that_was_lost_is_repeated_where_the_job_allows_it(panel: Panel) -> None:
    panel.engine.script(TIDY, ScriptedRun())
    jobs.add(panel, repeats_lost=True)
    jobs.deploy(panel)
    jobs.look(panel, at(1))
    due(panel)
    row = claimed_by_the_dead(panel)
    with panel.work():
        db.session.get_one(CronRun, row.id).heartbeat_at = now() - datetime.timedelta(hours=1)
    with running(panel) as rounds:
        rounds.until("unknown", "succeeded")
    again = jobs.runs(panel)[1]
    assert (again.attempt, again.cause, again.due_at) == (2, "again", row.due_at)


def test_a_runner_that_wakes_up_late_changes_nothing(site: Panel) -> None:
    due(site)
    row = claimed_by_the_dead(site)
    with site.reading():
        (stray,) = turns.list_strays(())
        assert turns.take_over(stray, "of the living")
        assert not turns.take_over(stray, "of another one")
        ending = turns.Ending(RunStatus.SUCCEEDED, exit_code=0)
        assert not turns.note_ended(row.id, "of the dead", ending)
        assert turns.note_ended(row.id, "of the living", ending)
        assert not turns.note_ended(row.id, "of the living", ending)


def test_the_engine_is_away_for_a_moment(site: Panel) -> None:
    site.engine.fail_next("ensure_network", Unavailable("The engine does not answer."))
    due(site)
    with running(site) as rounds:
        rounds.until("waiting")
        wait_for(lambda: not rounds.runner.count, 5)
        rounds.runner._paused_until = 0
        rounds.until("succeeded")
    assert jobs.runs(site)[0].attempt == 1


def test_leftovers_of_dead_runs_go_and_runs_stay(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(seconds=99))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("running")
        wait_for(lambda: jobs.containers(site), 5)
        spec = site.engine.specs[name_of(run.uuid)]
        site.engine.start_container(replace(spec, name=name_of("0000")))
        with site.reading():
            assert rounds.runner.sweep() == [name_of("0000")]
            removed = reconcile(installation()).removed
        assert removed == () and jobs.containers(site) == [name_of(run.uuid)]


# History, and many at once ------------------------------------------------------------------


def test_old_runs_are_forgotten_with_their_logs(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(("a line",)))
    due(site)
    with running(site) as rounds:
        (run,) = rounds.until("succeeded")
    with site.reading():
        log = log_store().cron_run(environment("test").uuid, run.uuid)
        assert log.directory.exists()
        assert forget_old_runs() == 0
    with site.work():
        for number in range(KEPT_RUNS):
            row = turns._again(db.session.get_one(CronRun, run.id))
            row.attempt, row.status = number + 2, RunStatus.SUCCEEDED
            db.session.add(row)
    with site.reading():
        assert forget_old_runs() == 1
        assert not log.directory.exists() and len(jobs.runs(site)) == KEPT_RUNS
    with site.work():
        db.session.execute(db.update(CronRun).values(created_at=at(0, 0).replace(year=2020)))
    with site.reading():
        assert forget_old_runs() == KEPT_RUNS


def test_fifty_at_once_none_lost_none_twice(panel: Panel) -> None:
    job = {
        "label": "Due", "command": "true", "schedule": "*/10 * * * *", "zone": "UTC",
        "timeout_seconds": 600, "overlap": "skip", "repeats_lost": False,
    }  # fmt: skip
    jobs.deploy(panel)
    jobs.release(panel, [{**job, "uuid": str(number)} for number in range(50)])
    jobs.look(panel, at(1))
    due(panel)
    due(panel)
    panel.engine.script(("true",), ScriptedRun(("done",)))
    with running(panel, places=16) as rounds:
        rounds.settle()
    assert jobs.states(panel) == ["succeeded"] * 50
    started = [name for what, name in panel.engine.calls if what == "start_container"]
    ours = [name for name in started if str(name).startswith("moonbase-cron-")]
    assert len(ours) == len(set(ours)) == 50
