"""Workers: provisioning and removing, with servers that fail and workers that die in between."""

from __future__ import annotations

import datetime
import logging
import threading
import time

import pytest

from app.adapters.services import Facts, Order, Server
from app.extensions import db, now
from app.installation import installation
from app.processes.scheduler import Recurring, enqueue_what_is_due
from app.services import jobs, keeping, provisioning
from app.services.lease import take_lease
from app.services.models import ServiceInstance, ServiceState
from app.services.queries import list_unfinished
from tests.panel import ALICE, Panel
from tests.services.acting import (
    act,
    add,
    backend,
    instance,
    look,
    provision,
    remove,
    state,
    states,
)


def due(panel: Panel, function: str) -> list[tuple[object, ...]]:
    """Arguments of jobs of this name that the scheduler enqueues now."""
    panel.queue.jobs.clear()
    with panel.reading():
        enqueue_what_is_due(Recurring())
    return [arguments for name, arguments in panel.queue.jobs if name.endswith(f".{function}")]


def age(panel: Panel, uuid: str, seconds: float) -> None:
    """As if the worker that has it had been silent for so long."""
    with panel.work():
        instance(uuid).heartbeat_at = now() - datetime.timedelta(seconds=seconds)


def test_provisioned_now_the_next_deployment_attaches_it(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    row = look(panel, uuid)
    assert row.state == "pending_attachment" and row.provisioned_at and row.is_functional
    assert row.facts["key"] == row.key and backend(panel).running == {row.server.uuid}
    assert row.lease_token is None and row.heartbeat_at is None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("start", "The server does not answer within 30 s."),
        ("provision", "The disk of the server is full."),
        ("provision", "The server refused: there are too many databases."),
    ],
)
def test_a_failure_is_kept_and_can_be_tried_again(
    panel: Panel, question: str, sentence: str
) -> None:
    uuid = add(panel)
    backend(panel).failures[question] = sentence
    provision(panel, uuid)
    row = look(panel, uuid)
    assert (row.state, row.sentence, row.provisioned_at) == ("failed", sentence, None)
    assert due(panel, "provision") == []
    page = panel.client_of(ALICE).get("/applications/demo/environments/test/services/").text
    assert sentence in page and "Try again" in page
    backend(panel).failures.clear()
    provision(panel, uuid)
    row = look(panel, uuid)
    assert (row.state, row.sentence) == ("pending_attachment", "")


def test_a_worker_killed_anywhere_is_followed_by_another(panel: Panel) -> None:
    uuid = add(panel)
    act(panel, "request_provisioning", uuid)
    number = look(panel, uuid).id
    assert due(panel, "provision") == [(number,)]  # the job was lost with the queue
    with panel.work():
        assert take_lease(number, ServiceState.PROVISIONING)  # and then killed
    assert due(panel, "provision") == []
    with panel.reading():
        jobs.provision(number)  # a second run while the first one lives does nothing
    assert state(panel, uuid) == "provisioning" and backend(panel).data == {}
    age(panel, uuid, 3)
    assert due(panel, "provision") == [(number,)]
    # Killed after the database was made, before that was noted: made again with the same password.
    backend(panel).data[look(panel, uuid).key] = {"left": ["by the first"]}
    with panel.reading():
        jobs.provision(number)
        jobs.provision(number)
    row = look(panel, uuid)
    assert row.state == "pending_attachment" and row.facts["password"] == row.password
    assert list(backend(panel).data) == [row.key]


class Halting:
    """A worker that is halted in the middle of provisioning, while `meanwhile` happens."""

    def __init__(self, panel: Panel) -> None:
        self.goes_on = threading.Event()
        self.is_in = threading.Event()
        self.asked = 0
        real = backend(panel).provision

        def slow(server: Server, order: Order) -> Facts:
            self.asked += 1
            self.is_in.set()
            assert self.goes_on.wait(10)
            return real(server, order)

        backend(panel).provision = slow  # type: ignore[method-assign]


def test_a_heartbeat_keeps_others_away_while_a_server_is_slow(panel: Panel) -> None:
    uuid = add(panel)
    act(panel, "request_provisioning", uuid)
    number = look(panel, uuid).id
    halting = Halting(panel)

    def work() -> None:
        with panel.reading():
            jobs.provision(number)

    worker = threading.Thread(target=work)
    worker.start()
    assert halting.is_in.wait(10)
    age(panel, uuid, 60)
    until = time.monotonic() + 5
    while look(panel, uuid).heartbeat_at < now() - datetime.timedelta(seconds=1):  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.02)
    halting.goes_on.set()
    worker.join()
    assert state(panel, uuid) == "pending_attachment"


def test_a_worker_that_wakes_up_late_leaves_nothing(panel: Panel) -> None:
    """The environment was deleted for good while it was halted."""
    uuid = add(panel)
    act(panel, "request_provisioning", uuid)
    number = look(panel, uuid).id
    halting = Halting(panel)

    def work() -> None:
        with panel.reading():
            jobs.provision(number)

    worker = threading.Thread(target=work)
    worker.start()
    assert halting.is_in.wait(10)
    with panel.work():
        db.session.delete(instance(uuid))
    halting.goes_on.set()
    worker.join()
    assert backend(panel).data == {} and states(panel) == {}


def test_removal_is_from_the_outside_in_and_tried_again(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    act(panel, "detach_instance", uuid)
    act(panel, "trash_instance", uuid)
    act(panel, "begin_removal", uuid)
    backend(panel).failures["deprovision"] = "The server does not answer."
    remove(panel, uuid)
    row = look(panel, uuid)
    assert (row.state, row.sentence) == ("removing", "The server does not answer.")
    assert due(panel, "remove") == []  # not at once
    page = panel.client_of(ALICE).get("/applications/demo/trash/").text
    assert "The server does not answer." in page and "being deleted" in page
    age(panel, uuid, 3)
    assert due(panel, "remove") == [(row.id,)]
    backend(panel).failures.clear()
    remove(panel, uuid)
    assert states(panel) == {} and backend(panel).data == {}
    with panel.reading():
        jobs.remove(row.id)  # once more does nothing


def test_a_removal_leaves_the_site_with_its_other_instances(panel: Panel) -> None:
    """They are on the same server, which the site reaches by one connection."""
    gone = add(panel, "GONE")
    for uuid in (gone, add(panel)):
        provision(panel, uuid)
    for operation in ("detach_instance", "trash_instance", "begin_removal"):
        act(panel, operation, gone)
    backend(panel).failures["detach"] = "It was taken out of the site's network."
    remove(panel, gone)
    assert states(panel) == {"DEFAULT": "pending_attachment"}


def test_seven_days_in_the_trash_are_the_end(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    act(panel, "detach_instance", uuid)
    act(panel, "trash_instance", uuid)
    number = look(panel, uuid).id
    assert due(panel, "remove") == []
    remove(panel, uuid)
    assert states(panel) == {"DEFAULT": "detached"}  # its time has not come
    with panel.work():
        instance(uuid).trashed_at = now() - datetime.timedelta(days=7, minutes=1)
    assert due(panel, "remove") == [(number,)]
    remove(panel, uuid)
    assert states(panel) == {} and backend(panel).data == {}


def test_a_secret_that_cannot_be_opened_is_a_sentence(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    uuid = add(panel)
    with panel.reading():
        installation().settings.operator_keys_file.write_text("")
    provision(panel, uuid)
    row = look(panel, uuid)
    assert row.state == "failed" and "cannot be opened" in row.sentence


def test_one_that_cannot_be_read_keeps_no_other_down(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    whole, torn = add(panel), add(panel, prefix="TORN")
    provision(panel, whole)
    provision(panel, torn)
    with panel.work():
        table = ServiceInstance.__table__
        shut = db.update(table).where(table.c.uuid == torn).values(encrypted_facts=db.text("'x'"))
        db.session.execute(shut)
    postgresql = backend(panel)
    postgresql.running.clear()
    with panel.reading():
        keeping.keep_running()
        assert list_unfinished(1) == []
    assert len(postgresql.running) == 1
    assert torn in caplog.text and "cannot be decrypted" in caplog.text


def test_servers_are_kept_up_and_measured(panel: Panel, caplog: pytest.LogCaptureFixture) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    row = look(panel, uuid)
    postgresql = backend(panel)
    postgresql.data[row.key]["guests"] = ["Ada", "Grace"]
    postgresql.running.clear()  # the engine was restarted
    with panel.reading():
        keeping.keep_running()
    assert postgresql.running == {row.server.uuid} and postgresql.attached == set()
    with panel.reading():
        keeping.measure_usage()
    found = look(panel, uuid)
    assert (found.used_bytes, found.used_objects, found.used_connections) == (8, 2, 0)
    page = panel.client_of(ALICE).get("/applications/demo/environments/test/services/").text
    assert "8 Bytes" in page and "0 of 60" in page
    postgresql.failures["usage"] = "The server is slow."
    with panel.reading(), caplog.at_level(logging.WARNING):
        keeping.measure_usage()
    assert look(panel, uuid).used_bytes == 8 and "The server is slow." in caplog.text


def test_what_breaks_on_our_side_does_not_stay_taken(panel: Panel) -> None:
    uuid = add(panel)

    def breaks(server: Server, order: Order) -> Facts:
        raise KeyError("nothing we thought of")

    backend(panel).provision = breaks  # type: ignore[method-assign]
    with pytest.raises(KeyError):
        provision(panel, uuid)
    row = look(panel, uuid)
    assert (row.state, row.sentence) == ("failed", provisioning.BROKEN)
