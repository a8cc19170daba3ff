"""The trash on PostgreSQL, where two people and two workers really work at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.operations import request_deployment
from app.environments.models import Environment
from app.environments.operations import ENVIRONMENTS_ALLOWED
from app.environments.queries import count_environments
from app.errors import Conflict, Invalid
from app.extensions import db
from app.lifecycle import jobs, trash
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.models import TrashEntry
from app.organisations.operations import sign_up
from app.transactions import unit_of_work
from tests.deployments import site
from tests.lifecycle.traces import Trace
from tests.lifecycle.trashing import (
    add,
    any_application,
    any_environment,
    doom,
    entry_of,
    finish,
    restore,
    run_jobs,
    trash_demo,
    trash_qa,
)
from tests.panel import (
    ALICE,
    PASSWORD,
    Panel,
    application,
    environment,
    make_application,
    organisation,
    user_of,
)
from tests.review.test_races import at_once


@pytest.fixture
def there(postgresql_panel: Panel) -> Panel:
    """A panel on PostgreSQL with `demo` and its environment `qa`, deployed."""
    panel = postgresql_panel
    with panel.work():
        alice = sign_up(ALICE.email, ALICE.name, PASSWORD)
        make_application(panel, "demo", organisation("alice"), alice)
    add(panel)
    site.commit(panel)
    for slug in ("test", "qa"):
        assert site.deploy(panel, slug).status == "succeeded"
    return panel


def test_there_and_back_and_gone(there: Panel) -> None:
    served = site.visit(there, "qa")
    entry = trash_qa(there)
    run_jobs(there)
    restore(there, entry)
    run_jobs(there)
    assert site.visit(there, "qa") == served
    with there.reading():
        of_qa, of_demo = Trace(application(), environment("qa")), Trace(application())
    finish(there, doom(there, trash_qa(there)))
    with there.reading():
        assert of_qa.rows() == []
        assert of_demo.rows()
    finish(there, doom(there, trash_demo(there)))
    with there.reading():
        assert of_demo.rows() == []
    assert of_demo.files(there.settings.data_dir) == []


def trash_it() -> None:
    trash.trash_environment(any_environment("qa"), user_of(ALICE))


def test_two_who_trash_the_same(there: Panel) -> None:
    raised = at_once(there, trash_it, trash_it)
    assert len(raised) == 1 and isinstance(raised[0], Conflict)
    with there.reading():
        assert len(db.session.scalars(db.select(TrashEntry)).all()) == 1


def test_one_trashes_and_one_deploys(there: Panel) -> None:
    """Whoever comes first: nothing is left waiting in the trash."""
    site.commit(there)

    def deploy() -> None:
        request_deployment(any_environment("qa"), there.store, user_of(ALICE))

    raised = at_once(there, trash_it, deploy)
    assert all(isinstance(error, Conflict) for error in raised)
    with there.reading():
        assert any_environment("qa").is_trashed
        waiting = db.select(Deployment.id).where(Deployment.status == DeploymentStatus.QUEUED)
        assert db.session.scalars(waiting).all() == []


@pytest.mark.parametrize("is_doomed", [False, True], ids=["restore", "delete"])
def test_one_restores_while_another_acts(there: Panel, is_doomed: bool) -> None:
    uuid = trash_qa(there)

    def back() -> None:
        trash.restore_environment(entry_of(uuid), user_of(ALICE), there.store)

    def gone() -> None:
        trash.begin_deletion(entry_of(uuid), user_of(ALICE))

    second: Callable[[], None] = gone if is_doomed else back
    raised = at_once(there, back, second)
    assert len(raised) == 1 and isinstance(raised[0], Conflict), raised
    with there.reading():
        entries = db.session.scalars(db.select(TrashEntry)).all()
        is_back = not any_environment("qa").is_trashed
        assert is_back == (entries == [])
        assert is_back or entries[0].deletion_began_at


def test_two_workers_delete_the_same(there: Panel) -> None:
    with there.reading():
        trace = Trace(application())
    number = doom(there, trash_demo(there))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with there.reading():
                jobs.delete_for_good(number)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the assertion shows it
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    finish(there, number)
    with there.reading():
        assert trace.rows() == []


def test_two_who_add_the_last_one(there: Panel) -> None:
    for number in range(ENVIRONMENTS_ALLOWED - 4):
        add(there, f"e{number}")

    def add_one(slug: str) -> Callable[[], Environment]:
        wanted = NewEnvironment(slug, slug)
        return lambda: add_environment(
            any_application(), wanted, user_of(ALICE), there.store, there.settings
        )

    raised = at_once(there, add_one("a"), add_one("b"))
    assert len(raised) == 1 and isinstance(raised[0], Invalid), raised
    with there.reading():
        assert count_environments(any_application().id) == ENVIRONMENTS_ALLOWED


def test_a_unit_of_work_that_fails_leaves_nothing_in_the_trash(there: Panel) -> None:
    with there.reading(), pytest.raises(ZeroDivisionError), unit_of_work():
        trash_it()
        _ = 1 / 0
    with there.reading():
        assert not any_environment("qa").is_trashed
