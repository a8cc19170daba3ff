"""The page of processes, restarting, and the log of one process."""

from __future__ import annotations

import datetime

import pytest

from app.adapters.engine import LABEL_PROCESS, LABEL_ROLE
from app.deployments.models import WorkerContainer
from app.deployments.runtime_logs import only, runtime_events, runtime_tail
from app.deployments.runtime_writer import _short, masked_values_of
from app.errors import Unavailable
from app.extensions import db, now
from app.logs.queries import log_store
from app.processes.scheduler import Recurring, enqueue_what_is_due
from app.runtime.models import WorkerProcess
from app.variables.operations import set_variable
from app.workers import jobs
from app.workers.operations import RESTART_JOB, Wish, add_process
from tests.deployments import site
from tests.deployments.test_addons import install
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, application, environment, user_of

PAGE = "/applications/demo/workers/"


@pytest.fixture
def demo(panel: Panel) -> Panel:
    """A site whose worker runs in Test."""
    with panel.work():
        add_process(application(), Wish("worker", "run worker", 2), user_of(ALICE))
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    return panel


def uuid_of(panel: Panel) -> str:
    with panel.reading():
        return db.session.scalars(db.select(WorkerProcess.uuid)).one()


def ids(panel: Panel) -> list[str]:
    found = panel.engine.list_containers({LABEL_ROLE: "worker"})
    return [state.id for state in found if state.running]


def test_who_may_do_what(demo: Panel) -> None:
    change = f"{PAGE}{uuid_of(demo)}/"
    acts = {
        PAGE: {"name": "beat", "command": "tick", "count": "1"},
        f"{PAGE}celery/": {"workers": "1"},
        change: {"command": "run that", "count": "1"},
        f"{change}remove/": {},
        "/applications/demo/environments/test/workers/worker/restart/": {},
    }
    for person, may_look, may_change in (
        (CHARLIE, 404, 404),
        (EVE, 403, 403),
        (BOB, 200, 403),
    ):
        client = demo.client_of(person)
        assert client.get(PAGE).status_code == may_look
        assert client.get(change).status_code == may_change
        for path, form in acts.items():
            assert client.post(path, data=form).status_code == may_change
    assert "Add a process" not in demo.client_of(BOB).get(PAGE).text
    dora = demo.client_of(DORA)
    for path in ("restart", PAGE, change, "remove"):
        wanted = next(act for act in acts if path in act and (path != PAGE or act == PAGE))
        assert dora.post(wanted, data=acts[wanted]).status_code == 303, wanted


def test_the_page_says_what_runs_and_what_waits(demo: Panel) -> None:
    alice = demo.client_of(ALICE)
    text = alice.get(PAGE).text
    assert "2 of 2 run" in text and "Not deployed yet" in text and "run worker" in text
    answer = alice.post(PAGE, data={"name": "beat", "command": "tick", "count": "1"})
    assert answer.status_code == 303
    text = alice.get(PAGE).text
    assert "From the next deployment on" in text
    alice.post(f"{PAGE}{uuid_of_named(demo, 'worker')}/", data={"command": "new", "count": "3"})
    text = alice.get(PAGE).text
    assert "changes with the next deployment: 2 × run worker runs now" in text
    waiting = alice.get("/applications/demo/environments/test/waiting/").text
    assert "2 × run worker" in waiting and "3 × new" in waiting
    alice.post(f"{PAGE}{uuid_of_named(demo, 'worker')}/remove/")
    text = alice.get(PAGE).text
    assert "stops with the next deployment" in text and "It runs until" in text


def uuid_of_named(panel: Panel, name: str) -> str:
    with panel.reading():
        return db.session.scalars(db.select(WorkerProcess.uuid).filter_by(name=name)).one()


def test_refusals_stand_beside_their_field_with_what_was_typed(demo: Panel) -> None:
    alice = demo.client_of(ALICE)
    for form, sentence in (
        ({"name": "web", "command": "x", "count": "1"}, "own name"),
        ({"name": "worker", "command": "kept text", "count": "1"}, "already"),
        ({"name": "beat", "command": "kept 'text", "count": "1"}, "not closed"),
        ({"name": "beat", "command": "kept text", "count": "99"}, "1 to 8"),
    ):
        text = alice.post(PAGE, data=form).text
        assert sentence in text and form["command"].split()[0] in text
    assert "already" in alice.post(f"{PAGE}celery/", data={"workers": "1"}).text
    answer = alice.post(f"{PAGE}{uuid_of(demo)}/", data={"command": "", "count": "x"})
    assert answer.status_code == 200


def test_celery_by_one_button_and_what_it_needs(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    assert "Only the web server runs" in alice.get(PAGE).text
    answer = alice.post(f"{PAGE}celery/", data={"workers": "2", "with_camera": "y"})
    assert answer.status_code == 303
    text = alice.get(PAGE).text
    assert "/usr/local/bin/aldryn-celery worker" in text and "celerycam" in text
    assert "Celery finds no broker in" in text
    with panel.work():
        for slug in ("test", "live"):
            set_variable(environment(slug), "BROKER_URL", "amqp://else", True, user_of(ALICE))
    assert "Celery finds no broker in" not in alice.get(PAGE).text
    variables = alice.get("/applications/demo/environments/test/variables/").text
    assert "CELERYD_CONCURRENCY" in variables


def test_processes_of_addons_are_shown_and_not_changed(panel: Panel) -> None:
    site.commit(panel)
    install(panel, "django", {})
    install(panel, "celery", {"concurrency": 2, "has_beat": True, "task_minutes": 30})
    site.deploy(panel)
    alice = panel.client_of(ALICE)
    text = alice.get(PAGE).text
    # Rows of the tests hold no answer of the addon: the release tells what runs of it.
    assert text.count("by the addon Celery") + text.count("It runs until") == 2
    assert f"{PAGE}remove" not in text and ">Change<" not in text


# Restarting -----------------------------------------------------------------------------------


def restart(panel: Panel, process: str = "worker") -> int:
    path = f"/applications/demo/environments/test/workers/{process}/restart/"
    return panel.client_of(ALICE).post(path).status_code


def run_jobs(panel: Panel) -> None:
    with panel.reading():
        jobs.restart(environment().id)


def test_a_restart_starts_each_container_anew_from_the_release(demo: Panel) -> None:
    before = ids(demo)
    with demo.work():  # what the forms say now does not count
        db.session.scalars(db.select(WorkerProcess)).one().command = "another"
    assert restart(demo) == 303
    with demo.reading():
        assert (RESTART_JOB, (environment().id,)) in demo.queue.jobs
    assert "Being restarted" in demo.client_of(ALICE).get(PAGE).text
    run_jobs(demo)
    after = ids(demo)
    assert len(after) == 2 and not set(after) & set(before)
    specs = [demo.engine.specs[s.name] for s in demo.engine.list_containers({LABEL_ROLE: "worker"})]
    assert {spec.command for spec in specs} == {("run", "worker")}
    run_jobs(demo)
    assert ids(demo) == after  # done is done
    assert "Being restarted" not in demo.client_of(ALICE).get(PAGE).text


def test_a_restart_that_was_lost_is_asked_for_again(demo: Panel) -> None:
    restart(demo)
    demo.engine.fail_next("stop_container", Unavailable("The engine does not answer."))
    run_jobs(demo)
    with demo.work():
        row = db.session.scalars(
            db.select(WorkerContainer).where(WorkerContainer.restart_asked_at.is_not(None))
        ).one()
        row.restart_asked_at = now() - datetime.timedelta(minutes=5)
    demo.queue.jobs.clear()
    with demo.reading():
        enqueue_what_is_due(Recurring())
        assert (RESTART_JOB, (environment().id,)) in demo.queue.jobs
    before = ids(demo)
    run_jobs(demo)
    assert len(set(before) & set(ids(demo))) == 1


def test_nothing_is_restarted_while_a_deployment_runs_or_of_what_is_not_there(demo: Panel) -> None:
    assert restart(demo, "nothing") == 404
    site.commit(demo)
    site.request(demo)
    assert restart(demo) == 409
    with demo.work():
        for row in db.session.scalars(db.select(WorkerContainer)):
            row.restart_asked_at = now()  # asked for a moment before
    before = ids(demo)
    run_jobs(demo)
    assert ids(demo) == before


# The log --------------------------------------------------------------------------------------


LINES = """\
2026-01-01 10:00:00 web-1 | GET /
2026-01-01 10:00:01 worker-1 | begins
2026-01-01 10:00:01 worker-10 | begins too
2026-01-01 10:00:02 worker-2-1 | another process
2026-01-01 10:00:03 web-1 | worker-1 | not a worker
"""


def test_lines_of_one_process() -> None:
    assert only(LINES, "worker").splitlines() == LINES.splitlines()[1:3]
    assert only(LINES, "worker-2").splitlines() == [LINES.splitlines()[3]]
    assert only(LINES, "w.*") == ""


def test_the_page_and_the_stream_show_one_process(demo: Panel) -> None:
    with demo.reading():
        uuid = environment().uuid
        log_store().runtime(uuid).append(LINES)
        tail = runtime_tail(environment(), "worker")
        assert tail.text.count("\n") == 2
        poll = runtime_events(uuid, 0, "worker")
        log_store().runtime(uuid).append("2026-01-01 10:00:04 worker-1 | half")
        (event,) = list(poll())
        assert "another process" not in str(event.data) and "half" not in str(event.data)
        log_store().runtime(uuid).append(" and whole\n")
        (event,) = list(poll())
        assert "half and whole" in str(event.data)
        assert event.id == str(log_store().runtime(uuid).end())
    client = demo.client_of(BOB)
    logs = "/applications/demo/environments/test/logs/"
    text = client.get(f"{logs}?process=worker").text
    assert "begins too" in text and "GET /" not in text and "process=worker" in text
    assert "GET /" in client.get(logs).text


def test_lines_carry_the_name_of_the_process(demo: Panel) -> None:
    (name, *_) = [
        state.name
        for state in demo.engine.list_containers({LABEL_ROLE: "worker"})
        if state.labels[LABEL_PROCESS] == "worker"
    ]
    assert _short(name) == "worker-1"
    assert _short("moonbase-3f2a1b2c-4d5e-web-2") == "web-2"
    with demo.reading():
        assert masked_values_of(name)
        assert masked_values_of("moonbase-of-nobody") is None
