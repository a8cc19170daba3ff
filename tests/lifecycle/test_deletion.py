"""The final deletion: nothing is left of what goes, nothing else is touched, and a worker may be
lost anywhere."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    ContainerSpec,
    Limits,
    NetworkSpec,
)
from app.audit.models import AuditLine
from app.deployments.models import Build, Deployment
from app.deployments.operations import request_deployment, take_lease
from app.domains.models import Domain, DomainKind
from app.errors import Unavailable
from app.extensions import Base, db, now
from app.lifecycle import deletion, trash
from app.lifecycle.jobs import delete_due_domain
from app.lifecycle.queries import list_due
from app.logs.queries import log_store
from app.processes.scheduler import Recurring, enqueue_what_is_due
from app.routes.queries import load_feed
from app.signals import deletion_stage_begun
from app.variables.operations import set_variable
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
    Panel,
    application,
    environment,
    make_application,
    organisation,
    user_of,
)

WEEK = datetime.timedelta(days=7)


@pytest.fixture
def full(panel: Panel) -> Panel:
    """`demo` with deployments, logs, variables and domains in Test and qa."""
    site.commit(panel)
    add(panel)
    for slug in ("test", "qa"):
        assert site.deploy(panel, slug).status == "succeeded"
        with panel.work():
            row = environment(slug)
            set_variable(row, "COLOUR", "blue", False, user_of(ALICE))
            host = f"{slug}.example.org"
            db.session.add(
                Domain(environment_id=row.id, host=host, kind=DomainKind.ALIAS, proved_at=now())
            )
            log_store().runtime(row.uuid).append("a line\n")
    site.commit(panel)
    assert site.deploy(panel, "qa").status == "succeeded"
    with panel.reading():
        uuid = db.session.scalars(db.select(Deployment.uuid)).all()[-1]
    (panel.settings.data_dir / "tmp" / f"context-{uuid}.tar").write_bytes(b"half a context")
    panel.queue.jobs.clear()
    return panel


def epoch(panel: Panel) -> str:
    with panel.reading():
        return load_feed().epoch


def plant(panel: Panel) -> None:
    """What belongs to others: containers, networks and images, files with names like ours."""
    limits = Limits(10**7, 1, 10)
    panel.engine.add_image("moonbase-site/demolition:1", labels={"made.by": "somebody"})
    panel.engine.add_image("foreign:1")
    foreign = {LABEL_INSTALLATION: "another installation", LABEL_ENVIRONMENT: "x"}
    panel.engine.ensure_network(NetworkSpec("foreign", "127.250.0.0/27", foreign))
    spec = ContainerSpec("foreign", "foreign:1", foreign, "foreign", limits)
    panel.engine.start_container(spec)
    (panel.settings.data_dir / "logs" / "notes.txt").write_text("mine")


def world(panel: Panel) -> set[str]:
    """Everything in the engine and every file, by name."""
    engine = panel.engine
    return {
        *(f"container {state.name}" for state in engine.list_containers({})),
        *(f"network {name}" for name in engine.list_networks({})),
        *(f"image {tag}" for image in engine.list_images({}) for tag in image.tags),
        *(
            f"file {path}"
            for path in panel.settings.data_dir.rglob("*")
            if path.is_file() and "sqlite3" not in path.name and ".lock" not in path.name
        ),
    }


def rows(panel: Panel) -> dict[str, set[int]]:
    """Numbers of the rows of every table."""
    with panel.reading():
        return {
            table.name: set(db.session.scalars(db.select(table.c.id)))
            for table in Base.metadata.sorted_tables
            if "id" in table.c
        }


def require_gone(panel: Panel, trace: Trace) -> None:
    with panel.reading():
        assert trace.rows() == []
    assert trace.files(panel.settings.data_dir) == []
    assert trace.in_engine(panel.engine, epoch(panel)) == []


def test_nothing_is_left_of_an_application(full: Panel) -> None:
    panel = full
    with panel.reading():
        trace = Trace(application())
        assert trace.rows() and trace.files(panel.settings.data_dir)
        assert trace.in_engine(panel.engine, epoch(panel))
    plant(panel)
    entry = trash_demo(panel)
    finish(panel, doom(panel, entry))
    require_gone(panel, trace)
    with panel.reading():
        acts = set(db.session.scalars(db.select(AuditLine.action)))
        assert {"application.create", "application.trash", "application.delete"} <= acts
    assert {"container foreign", "network foreign", "image foreign:1"} <= world(panel)
    assert "image moonbase-site/demolition:1" in world(panel)
    assert (panel.settings.data_dir / "logs" / "notes.txt").read_text() == "mine"


def test_nothing_but_the_application_is_gone(panel: Panel) -> None:
    """Whatever was there before `demo` began is there after its end."""
    before = (world(panel), {name: set(found) for name, found in rows(panel).items()})
    with panel.work():
        make_application(panel, "brief", organisation(), user_of(ALICE))
    with panel.work():
        entry = trash.trash_application(application("brief"), user_of(ALICE)).uuid
    finish(panel, doom(panel, entry))
    after = (world(panel), rows(panel))
    assert after[0] == before[0]
    changed = {name for name, found in after[1].items() if found != before[1][name]}
    assert changed <= {"audit_lines"}


def test_nothing_is_left_of_an_environment_and_the_others_are_whole(full: Panel) -> None:
    panel = full
    with panel.reading():
        gone = Trace(application(), environment("qa"))
        kept = Trace(application(), environment("test"))
        files = set(kept.files(panel.settings.data_dir))
        in_engine = set(kept.in_engine(panel.engine, epoch(panel)))
        there = set(kept.rows())
    served = site.visit(panel, "test")
    finish(panel, doom(panel, trash_qa(panel)))
    require_gone(panel, gone)
    with panel.reading():
        assert set(kept.rows()) == there
    assert set(kept.files(panel.settings.data_dir)) == files
    assert set(kept.in_engine(panel.engine, epoch(panel))) == in_engine
    assert site.visit(panel, "test") == served
    assert panel.client_of(ALICE).get("/applications/demo/").status_code == 200


def test_an_image_that_another_environment_serves_is_kept(panel: Panel) -> None:
    site.commit(panel)
    add(panel)
    assert site.deploy(panel, "qa").status == "succeeded"
    assert site.deploy(panel, "live").status == "succeeded"  # takes the image of qa
    with panel.reading():
        tag = db.session.scalars(db.select(Build.tag)).one()
    served = site.visit(panel, "live")
    finish(panel, doom(panel, trash_qa(panel)))
    assert panel.engine.inspect_image(tag) is not None
    assert site.visit(panel, "live") == served
    with panel.reading():
        build = db.session.scalars(db.select(Build)).one()
        assert build.environment_id is None and build.removed_at is None


def test_an_image_that_a_deployment_is_about_to_take_is_kept(panel: Panel) -> None:
    site.commit(panel)
    add(panel)
    assert site.deploy(panel, "qa").status == "succeeded"
    site.request(panel, "live")
    with panel.reading():
        tag = db.session.scalars(db.select(Build.tag)).one()
    finish(panel, doom(panel, trash_qa(panel)))
    assert panel.engine.inspect_image(tag) is not None


class Death(BaseException):
    """The worker is gone: nothing of it runs any more, not even what tidies up."""


@pytest.mark.parametrize("at", range(len(deletion.STAGES)))
def test_a_worker_lost_at_a_stage_is_followed_by_one_that_finishes(full: Panel, at: int) -> None:
    panel = full
    with panel.reading():
        trace = Trace(application())
    entry = doom(panel, trash_demo(panel))
    begun = []

    def die(sender: object, number: int, stage: str) -> None:
        begun.append(stage)
        if number == at:
            raise Death

    with deletion_stage_begun.connected_to(die), pytest.raises(Death):
        finish(panel, entry)
    assert begun[-1] == deletion.STAGES[at].__name__
    finish(panel, entry)
    require_gone(panel, trace)


@pytest.mark.parametrize("at", range(len(deletion.STAGES)))
def test_a_second_worker_leaves_alone_what_was_made_meanwhile(panel: Panel, at: int) -> None:
    """Two workers are at the same deletion. One is done, and somebody creates an application,
    before the other goes on."""
    with panel.work():
        make_application(panel, "latest", organisation("moon"), user_of(ALICE))
    with panel.work():
        uuid = trash.trash_application(application("latest"), user_of(ALICE)).uuid
    entry = doom(panel, uuid)

    def overtake(sender: object, number: int, stage: str) -> None:
        if number == at and overtaking.pop("once", None):
            finish(panel, entry)
            with panel.work():
                make_application(panel, "successor", organisation("moon"), user_of(ALICE))

    overtaking = {"once": True}
    with deletion_stage_begun.connected_to(overtake):
        finish(panel, entry)
    assert not overtaking
    with panel.reading():
        assert environment("live", "successor").application.slug == "successor"


@pytest.mark.parametrize(
    "method",
    ["list_containers", "remove_container", "list_networks", "remove_network", "remove_image"],
)
def test_an_engine_that_is_away_is_waited_for(full: Panel, method: str) -> None:
    panel = full
    with panel.reading():
        trace = Trace(application())
    uuid = trash_demo(panel)
    entry = doom(panel, uuid)
    panel.engine.fail_next(method, Unavailable("The engine does not answer."))
    finish(panel, entry)
    with panel.reading():
        assert "does not answer" in entry_of(uuid).failure
        assert trace.rows()
    page = panel.client_of(ALICE).get("/organisations/moon/trash/").text
    assert "does not answer" in page and "Restore demo" not in page
    finish(panel, entry)
    require_gone(panel, trace)


def test_it_waits_for_a_deployment_that_runs(full: Panel) -> None:
    panel = full
    with panel.work():
        number = request_deployment(environment(), panel.store, user_of(ALICE)).id
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, number))
    uuid = trash_demo(panel)
    entry = doom(panel, uuid)
    finish(panel, entry)
    with panel.work():
        assert "being stopped" in entry_of(uuid).failure
        db.session.get_one(Deployment, number).status = "cancelled"
    finish(panel, entry)
    with panel.reading():
        assert db.session.scalars(db.select(Deployment)).all() == []


def age(panel: Panel, days: float) -> None:
    """Let everything in the trash have been there for so long."""
    with panel.work():
        for row in (any_application(), any_environment("qa")):
            if row.trashed_at:
                row.trashed_at = now() - datetime.timedelta(days=days)


def test_after_a_week_it_is_deleted_by_itself(full: Panel) -> None:
    panel = full
    with panel.reading():
        trace = Trace(application())
    trash_demo(panel)
    run_jobs(panel)
    age(panel, 6.99)
    with panel.reading():
        assert db.session.scalar(list_due(panel.settings.times.trash)) is None
        enqueue_what_is_due(Recurring())
    assert "delete_for_good" not in run_jobs(panel)
    age(panel, 7.01)
    with panel.reading():
        enqueue_what_is_due(Recurring())
    assert "delete_for_good" in run_jobs(panel)
    require_gone(panel, trace)
    with panel.reading():
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "application.delete")
        ).one()
        assert line.actor_id is None


def test_a_lost_job_is_found_by_the_scheduler(full: Panel) -> None:
    """`Delete now` was pressed, and Redis lost everything."""
    panel = full
    doom(panel, trash_qa(panel))
    panel.queue.jobs.clear()
    with panel.reading():
        enqueue_what_is_due(Recurring())
    assert "delete_for_good" in run_jobs(panel)
    with panel.reading():
        trace = db.session.scalars(db.select(Domain.host)).all()
    assert "qa.example.org" not in trace


def test_what_was_restored_in_time_is_not_deleted(full: Panel) -> None:
    panel = full
    uuid = trash_qa(panel)
    with panel.reading():
        number = entry_of(uuid).id
    age(panel, 8)
    restore(panel, uuid)
    finish(panel, number)
    with panel.reading():
        assert environment("qa")


def test_a_domain_is_deleted_after_a_week(full: Panel) -> None:
    panel = full
    with panel.work():
        row = db.session.scalars(db.select(Domain).where(Domain.host == "qa.example.org")).one()
        row.trashed_at = now() - WEEK - datetime.timedelta(minutes=1)
    with panel.reading():
        enqueue_what_is_due(Recurring())
    assert "delete_due_domain" in run_jobs(panel)
    with panel.reading():
        hosts = db.session.scalars(db.select(Domain.host)).all()
    assert "qa.example.org" not in hosts and "test.example.org" in hosts


def test_a_name_is_free_again_afterwards(full: Panel) -> None:
    panel = full
    finish(panel, doom(panel, trash_qa(panel)))
    add(panel)
    with panel.reading():
        assert environment("qa").trashed_at is None


def test_the_data_directory_holds_what_the_trace_looks_for(full: Panel) -> None:
    """The trace itself: it would find a forgotten log, context, repository and container."""
    panel = full
    with panel.reading():
        trace = Trace(application())
    files = trace.files(panel.settings.data_dir)
    for part in ("logs/deployments", "logs/runtime", "repositories", "tmp/context-"):
        assert any(part in str(Path(name)) for name in files), part


def test_a_domain_that_was_restored_in_time_is_kept(full: Panel) -> None:
    """Its job waited longer than the person did."""
    panel = full
    with panel.work():
        row = db.session.scalars(db.select(Domain).where(Domain.host == "qa.example.org")).one()
        number = row.id
    with panel.reading():
        delete_due_domain(number)
    with panel.reading():
        assert db.session.get(Domain, number)
