"""Writing processes down: what may be one, what the plan allows, what is kept of it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.models import AuditLine
from app.errors import Invalid
from app.extensions import db
from app.plans.queries import load_plan
from app.runtime.models import WorkerProcess
from app.runtime.processes import (
    Process,
    check_processes,
    is_celery_worker,
    merge_processes,
    split_command,
    variables_for,
)
from app.runtime.queries import automatic_variables, resolve_configuration
from app.variables.operations import set_variable
from app.workers.operations import (
    NAME,
    Wish,
    add_process,
    brought_processes,
    change_process,
    clean_process_name,
    remove_process,
    set_up_celery,
)
from tests.panel import ALICE, Panel, application, environment, user_of


def add(panel: Panel, name: str, command: str = "run it", count: int = 1) -> None:
    with panel.work():
        add_process(application(), Wish(name, command, count), user_of(ALICE))


def processes(panel: Panel) -> dict[str, tuple[str, int]]:
    with panel.reading():
        rows = db.session.scalars(db.select(WorkerProcess).order_by(WorkerProcess.name))
        return {row.name: (row.command, row.count) for row in rows}


@pytest.mark.parametrize("name", ["a", "worker", "beat-2", "x" * 20])
def test_names_that_may_be(name: str) -> None:
    assert clean_process_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    ["", "Web", "2nd", "-a", "a_b", "a b", "x" * 21, "é", "a\n", "web", "cron", "command", "a/b"],
)
def test_names_that_may_not(name: str) -> None:
    if name == "a\n":
        assert clean_process_name(name) == "a"  # a line break at the end is trimmed
        return
    with pytest.raises(Invalid) as refused:
        clean_process_name(name)
    assert refused.value.field == "name"


@given(st.text(max_size=30))
def test_what_is_taken_fits_into_the_name_of_a_container(text: str) -> None:
    with suppress(Invalid):
        assert NAME.fullmatch(clean_process_name(text))


@pytest.mark.parametrize("command", ["", "  ", "a 'b", "a\nb", "a\tb", "x" * 1001, "a\0b"])
def test_commands_that_cannot_run(panel: Panel, command: str) -> None:
    with pytest.raises(Invalid) as refused:
        add(panel, "worker", command)
    assert refused.value.field == "command" and processes(panel) == {}


def test_adding_changing_and_removing_leave_audit_lines(panel: Panel) -> None:
    add(panel, "worker", " run  it ", 2)
    with pytest.raises(Invalid, match="already") as refused:
        add(panel, "worker")
    assert refused.value.field == "name"
    with panel.work():
        row = db.session.scalars(db.select(WorkerProcess)).one()
        change_process(application(), row, Wish("ignored", "run that", 3), user_of(ALICE))
        change_process(application(), row, Wish("ignored", "run that", 3), user_of(ALICE))
    assert processes(panel) == {"worker": ("run that", 3)}
    with panel.work():
        row = db.session.scalars(db.select(WorkerProcess)).one()
        remove_process(application(), row, user_of(ALICE))
    assert processes(panel) == {}
    with panel.reading():
        lines = db.session.scalars(
            db.select(AuditLine)
            .where(AuditLine.action.startswith("process."))
            .order_by(AuditLine.id)
        ).all()
        assert [line.action for line in lines] == [
            "process.add",
            "process.change",
            "process.remove",
        ]


def test_the_plan_says_how_many(panel: Panel) -> None:
    with panel.work():
        load_plan(application().id).worker_containers = 4
    for count in (0, -1, 5):
        with pytest.raises(Invalid, match="1 to 4") as refused:
            add(panel, "worker", count=count)
        assert refused.value.field == "count"
    add(panel, "worker", count=3)
    with pytest.raises(Invalid, match="want 5 containers; the plan allows 4"):
        add(panel, "beat", count=2)
    add(panel, "beat")
    with panel.work(), pytest.raises(Invalid, match="want 5"):
        row = db.session.scalars(db.select(WorkerProcess).filter_by(name="worker")).one()
        change_process(application(), row, Wish("", "run it", 4), user_of(ALICE))


def test_celery_is_set_up_as_documented(panel: Panel) -> None:
    with panel.work():
        set_up_celery(application(), 2, True, user_of(ALICE))
    assert processes(panel) == {
        "beat": ("/usr/local/bin/aldryn-celery beat", 1),
        "camera": ("python manage.py celerycam --frequency=10 --pidfile=.", 1),
        "worker": ("/usr/local/bin/aldryn-celery worker", 2),
    }
    with panel.reading():
        row = environment()
        assert automatic_variables(row)["CELERYD_CONCURRENCY"] == "2"
        assert "CELERYD_CONCURRENCY" not in resolve_configuration(row).own_names
    with panel.work():
        set_variable(environment(), "CELERYD_CONCURRENCY", "8", False, user_of(ALICE))
    with panel.reading():
        assert resolve_configuration(environment()).variables["CELERYD_CONCURRENCY"] == "8"
        assert brought_processes(application().id) == []
    with pytest.raises(Invalid, match="already"), panel.work():
        set_up_celery(application(), 1, False, user_of(ALICE))


def test_without_a_celery_worker_there_is_no_variable_for_it(panel: Panel) -> None:
    add(panel, "worker", "python manage.py process_tasks")
    with panel.reading():
        assert "CELERYD_CONCURRENCY" not in automatic_variables(environment())


def test_celery_workers_are_known_by_their_command() -> None:
    for command in ("/usr/local/bin/aldryn-celery worker", "celery -A site worker --loglevel=INFO"):
        assert is_celery_worker(command)
    for command in ("aldryn-celery beat", "worker celery", "celery 'worker", "", "celery status"):
        assert not is_celery_worker(command)
    assert variables_for([Process("worker", "celery worker", 1)]) == {"CELERYD_CONCURRENCY": "2"}


def test_people_s_own_process_takes_the_place_of_an_addon_s() -> None:
    own = [Process("worker", "mine", 1)]
    brought = [Process("worker", "theirs", 2, "celery"), Process("beat", "tick", 1, "celery")]
    brought.append(Process("off", "nothing", 0, "celery"))  # an addon may say that none is needed
    assert merge_processes(own, brought) == (brought[1], own[0])


def test_what_addons_say_is_checked_at_the_deployment() -> None:
    check_processes([Process("Any_Name", "run it", 2, "addon")], 2)
    for process in (
        Process("web", "run", 1, "addon"),
        Process("a", "run 'it", 1, "addon"),
        Process("a", " ", 1, "addon"),
        Process("a", "x\ny", 1, "addon"),
        Process("a", "run", 3, "addon"),
    ):
        with pytest.raises(Invalid):
            check_processes([process], 2)
    assert split_command("sh -c 'echo $HOME'", "a") == ("sh", "-c", "echo $HOME")
