"""Acts on the trash as people and workers do them, for tests."""

from __future__ import annotations

from app.adapters.engine import LABEL_ENVIRONMENT
from app.applications.models import Application
from app.environments.models import Environment
from app.extensions import db
from app.lifecycle import jobs, trash
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.models import TrashEntry
from tests.panel import ALICE, Panel, application, environment, user_of


def add(panel: Panel, slug: str = "qa", **more: str) -> str:
    """A further environment of `demo`; returns its uuid."""
    with panel.work():
        wanted = NewEnvironment(slug.upper(), slug, **more)
        row = add_environment(application(), wanted, user_of(ALICE), panel.store, panel.settings)
        return row.uuid


def trash_qa(panel: Panel) -> str:
    """Move environment `qa` to the trash; returns the entry's uuid."""
    with panel.work():
        return trash.trash_environment(environment("qa"), user_of(ALICE)).uuid


def trash_demo(panel: Panel) -> str:
    """Move the application `demo` to the trash; returns the entry's uuid."""
    with panel.work():
        return trash.trash_application(application(), user_of(ALICE)).uuid


def entry_of(uuid: str) -> TrashEntry:
    """The entry's row; inside an app context."""
    return db.session.scalars(db.select(TrashEntry).where(TrashEntry.uuid == uuid)).one()


def restore(panel: Panel, uuid: str) -> None:
    """Take something out of the trash."""
    with panel.work():
        entry = entry_of(uuid)
        act = trash.restore_application if entry.application_id else trash.restore_environment
        act(entry, user_of(ALICE), panel.store)


def doom(panel: Panel, uuid: str) -> int:
    """Begin the final deletion; returns the entry's number for the job."""
    with panel.work():
        entry = entry_of(uuid)
        trash.begin_deletion(entry, user_of(ALICE))
        return entry.id


def finish(panel: Panel, number: int) -> None:
    """Run the job of the final deletion as a worker does."""
    with panel.reading():
        jobs.delete_for_good(number)


def run_jobs(panel: Panel) -> list[str]:
    """Run what is enqueued, as workers do; returns the names of the jobs."""
    names = []
    while panel.queue.jobs:
        function, arguments = panel.queue.jobs.pop(0)
        module, _, name = function.rpartition(".")
        names.append(name)
        with panel.reading():
            getattr(__import__(module, fromlist=[name]), name)(*arguments)
    return names


def any_application(slug: str = "demo") -> Application:
    """The row, in the trash or not."""
    return db.session.scalars(db.select(Application).where(Application.slug == slug)).one()


def any_environment(slug: str, of: str = "demo") -> Environment:
    """The row, in the trash or not."""
    return db.session.scalars(
        db.select(Environment)
        .join(Environment.application)
        .where(Environment.slug == slug, Application.slug == of)
    ).one()


def running(panel: Panel, environment_uuid: str) -> list[str]:
    """Names of the environment's containers that run in the engine."""
    states = panel.engine.list_containers({LABEL_ENVIRONMENT: environment_uuid})
    return sorted(state.name for state in states if state.running)
