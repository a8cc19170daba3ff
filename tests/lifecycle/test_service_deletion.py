"""Services of an environment or application that is deleted for good: outside first, then rows."""

from __future__ import annotations

import pytest

from app.extensions import db
from app.installation import installation
from app.lifecycle import deletion
from app.lifecycle.deletion import delete_for_good
from app.lifecycle.models import TrashEntry
from app.services import jobs
from app.services.models import ServiceInstance
from tests.deployments import site
from tests.lifecycle.trashing import add as add_environment
from tests.lifecycle.trashing import doom, entry_of, trash_demo, trash_qa
from tests.panel import Panel
from tests.services.acting import act, add, backend, look, provision


@pytest.fixture
def qa(panel: Panel) -> Panel:
    """`demo` with an environment `qa` that runs with a database."""
    site.commit(panel)
    add_environment(panel)
    add(panel, on="qa")
    assert site.deploy(panel, "qa").status == "succeeded"
    return panel


def delete(panel: Panel) -> bool:
    with panel.reading():
        entry = db.session.scalars(db.select(TrashEntry)).one()
        return delete_for_good(installation(), entry.id)


def count(panel: Panel) -> int:
    with panel.reading():
        return db.session.scalar(db.select(db.func.count()).select_from(ServiceInstance)) or 0


def test_an_environment_takes_its_services_with_it(qa: Panel) -> None:
    panel = qa
    kept = add(panel)
    provision(panel, kept)
    failed, new = add(panel, "FAILED", on="qa"), add(panel, "NEW", on="qa")
    backend(panel).failures["provision"] = "It is full."
    provision(panel, failed)
    backend(panel).failures.clear()
    assert new
    entry = trash_qa(panel)
    assert len(backend(panel).data) == 2  # the trash keeps everything
    doom(panel, entry)
    backend(panel).failures["deprovision"] = "The server does not answer."
    assert not delete(panel)
    with panel.reading():
        assert db.session.scalars(db.select(TrashEntry)).one().failure == (
            "The server does not answer."
        )
    assert count(panel) == 3  # what was new was nowhere, its row went at once
    backend(panel).failures.clear()
    with panel.work():
        db.session.execute(db.text("UPDATE service_instances SET heartbeat_at = NULL"))
    assert delete(panel)
    assert list(backend(panel).data) == [look(panel, kept).key] and count(panel) == 1
    assert backend(panel).attached == set()


def test_an_application_takes_all_of_them_also_those_in_its_trash(qa: Panel) -> None:
    panel = qa
    trashed = add(panel)
    provision(panel, trashed)
    act(panel, "detach_instance", trashed)
    act(panel, "trash_instance", trashed)
    doom(panel, trash_demo(panel))
    assert delete(panel)
    assert backend(panel).data == {} and count(panel) == 0


def test_in_the_trash_services_stay_and_servers_are_not_kept_for_them(qa: Panel) -> None:
    panel = qa
    assert entry_of
    trash_qa(panel)
    backend(panel).running.clear()
    with panel.reading():
        jobs.keep_running()
        jobs.measure_usage()
    assert backend(panel).running == set() and len(backend(panel).data) == 1
    assert deletion.remove_services in deletion.STAGES
