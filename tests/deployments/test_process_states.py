"""Processes that addons bring, what the observer notes of any, and the end of them all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.adapters.engine import LABEL_ROLE, ContainerState
from app.deployments.models import WorkerContainer
from app.deployments.process_states import note_states, process_states
from app.deployments.queries import current_releases
from app.deployments.waiting import load_waiting
from app.extensions import db
from app.runtime.models import WorkerProcess
from tests.deployments import site
from tests.deployments.test_addons import install
from tests.deployments.test_processes import BEAT, WORKER, define, mend, release_of, workers
from tests.lifecycle.trashing import doom, finish, trash_demo
from tests.panel import Panel, environment


@pytest.fixture
def demo(panel: Panel) -> Panel:
    """A site whose worker and clock run."""
    define(panel, worker=(WORKER, 2), beat=(BEAT, 1))
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    return panel


# What addons bring ----------------------------------------------------------------------------


def test_processes_of_addons_and_the_celery_addon(panel: Panel) -> None:
    site.commit(panel)
    install(panel, "celery", {"concurrency": 5, "has_beat": True, "task_minutes": 30})
    install(panel, "django", {})
    row = site.deploy(panel)
    assert row.status == "succeeded", site.log_of(panel, row)
    found = release_of(panel)
    assert {(one["name"], one["addon"]) for one in found.processes} == {
        ("beat", "celery"),
        ("worker", "celery"),
    }
    assert found.variables["CELERYD_CONCURRENCY"] == "5"
    broker = found.variables["DEFAULT_AMQP_BROKER_URL"]
    for name in workers(panel):
        assert panel.engine.specs[name].environment["DEFAULT_AMQP_BROKER_URL"] == broker
    assert "--concurrency=5" in next(
        one["command"] for one in found.processes if one["name"] == "worker"
    )
    with panel.app.test_request_context():
        changes = load_waiting([environment()])[environment().id].changes
    assert [row.name for row in changes if row.kind == "process"] == []
    define(panel, beat=("another clock", 1))
    log = site.log_of(panel, site.deploy(panel))
    assert "The process beat is the one written down on the page Workers" in log
    assert {one["name"]: one["addon"] for one in release_of(panel).processes} == {
        "beat": "",
        "worker": "celery",
    }
    define(panel)
    with panel.app.test_request_context():
        changes = load_waiting([environment()])[environment().id].changes
    (change,) = [row for row in changes if row.kind == "process"]
    assert change.addon == "celery" and change.before == "1 × another clock"


# What the observer notes ----------------------------------------------------------------------


def note(panel: Panel, exit_codes: Mapping[str, int] | None = None) -> None:
    found = {state.name: state for state in panel.engine.list_containers({LABEL_ROLE: "worker"})}
    with panel.reading():
        note_states(found, exit_codes or {})


def states_of(panel: Panel) -> dict[str, tuple[int, int, int | None, bool]]:
    with panel.reading():
        number = environment().id
        return {
            row.process.name: (row.running, row.restarts, row.exit_code, row.is_troubled)
            for row in process_states(current_releases([number]))[number]
        }


def test_states_and_ends_are_noted(demo: Panel) -> None:
    site.deploy(demo)
    assert states_of(demo) == {"beat": (1, 0, None, False), "worker": (2, 0, None, False)}
    beat = next(name for name, process in workers(demo).items() if process == "beat")
    demo.engine.crash(beat, 3)
    note(demo)
    assert states_of(demo)["beat"] == (0, 0, 3, True)
    mend(demo)
    note(demo)
    assert states_of(demo)["beat"] == (1, 0, 3, False)
    with demo.reading():
        found = {state.name: state for state in demo.engine.list_containers({LABEL_ROLE: "worker"})}
        again = {name: _restarted(state, 12) for name, state in found.items() if name == beat}
        note_states({**found, **again}, {beat: 1})
    assert states_of(demo)["beat"] == (1, 12, 1, True)
    demo.engine.remove_container(beat)
    note(demo)
    assert states_of(demo)["beat"][0] == 0


def _restarted(state: ContainerState, count: int) -> ContainerState:
    return ContainerState(**{**vars(state), "restart_count": count})


def test_the_final_deletion_takes_processes_along(demo: Panel) -> None:
    names = set(workers(demo))
    assert len(names) == 3
    finish(demo, doom(demo, trash_demo(demo)))
    assert not names & {state.name for state in demo.engine.list_containers({})}
    with demo.reading():
        assert db.session.scalars(db.select(WorkerContainer)).all() == []
        assert db.session.scalars(db.select(WorkerProcess)).all() == []
