"""Moving applications and environments to the trash, and back.

What lies there keeps everything: rows, repository, images, logs, its names and addresses. Only
its containers stop, which is the reconciler's work, and its routes lead nowhere, which is how the
feed reads the row. So coming back is: not being in the trash any more.
"""

from __future__ import annotations

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.adapters.job_queue import Queue
from app.applications.models import Application
from app.audit.operations import record
from app.deployments.operations import cancel_all
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.lifecycle import queries
from app.lifecycle.models import TrashEntry
from app.repositories.operations import refresh_branch
from app.routes.operations import touch_feed
from app.services.operations import refuse_lent_environments

STOP_JOB = "app.deployments.jobs.reconcile_region"
MEASURE_JOB = "app.lifecycle.jobs.measure"
START_JOB = "app.lifecycle.jobs.start_restored"
DELETE_JOB = "app.lifecycle.jobs.delete_for_good"
DELETE_DOMAIN_JOB = "app.lifecycle.jobs.delete_due_domain"
CANCELLED = "It was moved to the trash."


def trash_application(application: Application, actor: User) -> TrashEntry:
    """Out of sight with all its environments; Git refuses, visitors are told it is not running.

    Raises `Conflict` when somebody else was faster.
    """
    _lock(application)
    if application.trashed_at:
        raise Conflict(f"“{application.name}” is in the trash already.")
    environments = queries.all_environments(application.id)
    refuse_lent_environments([environment.id for environment in environments])
    for environment in environments:
        cancel_all(environment, CANCELLED)
    entry = TrashEntry(application=application)
    _lay_down(application, entry, actor)
    _record("application.trash", application, application.slug, actor)
    return entry


def trash_environment(environment: Environment, actor: User) -> TrashEntry:
    """Out of sight. Test and Live belong to every application and go only with it."""
    if environment.is_test or environment.is_live:
        raise Invalid("Test and Live belong to every application: they go only with it.")
    _lock(environment)
    if environment.is_trashed:
        raise Conflict(f"“{environment.name}” is in the trash already.")
    refuse_lent_environments([environment.id])
    cancel_all(environment, CANCELLED)
    entry = TrashEntry(environment=environment)
    _lay_down(environment, entry, actor)
    application = environment.application
    _record("environment.trash", application, f"{application.slug}/{environment.slug}", actor)
    return entry


def _lay_down(thing: Application | Environment, entry: TrashEntry, actor: User) -> None:
    thing.trashed_at = now()
    thing.trashed_by_id = actor.id
    db.session.add(entry)
    version = touch_feed()
    enqueue_after_commit(Queue.OPERATIONS, STOP_JOB, key=f"reconcile-trash-{version}")
    enqueue_after_commit(Queue.OPERATIONS, MEASURE_JOB, entry.id, key=f"measure-{entry.uuid}")


def restore_application(entry: TrashEntry, actor: User, store: RepositoryStore) -> Application:
    """Back with everything but the environments that were in the trash by themselves."""
    application = entry.application
    if application is None:
        raise RuntimeError("this entry is an environment")
    _lock(application)
    _refuse_deleted(entry, application)
    _take_up(application, entry)
    for environment in list_environments(application.id):
        _bring_back(environment, store)
    _record("application.restore", application, application.slug, actor)
    return application


def restore_environment(entry: TrashEntry, actor: User, store: RepositoryStore) -> Environment:
    """Back; its containers start again from the release it ran, without a build."""
    environment = entry.environment
    if environment is None:
        raise RuntimeError("this entry is an application")
    _lock(environment)
    application = environment.application
    if application.trashed_at:
        raise Conflict(f"“{application.name}” is in the trash itself. Restore it first.")
    _refuse_deleted(entry, environment)
    _take_up(environment, entry)
    _bring_back(environment, store)
    _record("environment.restore", application, f"{application.slug}/{environment.slug}", actor)
    return environment


def _take_up(thing: Application | Environment, entry: TrashEntry) -> None:
    thing.trashed_at = None
    thing.trashed_by_id = None
    db.session.delete(entry)
    db.session.flush()
    touch_feed()


def _bring_back(environment: Environment, store: RepositoryStore) -> None:
    """Others may have pushed meanwhile; what ran starts again as soon as a worker comes to it."""
    refresh_branch(environment, store)
    moment = int(now().timestamp())
    enqueue_after_commit(
        Queue.OPERATIONS, START_JOB, environment.id, key=f"start-{environment.id}-{moment}"
    )


def begin_deletion(entry: TrashEntry, actor: User | None) -> None:
    """Doom what lies in `entry`: from the commit on it cannot be restored, and is deleted however
    often a worker is lost over it. Without an actor its time has come. Twice is once."""
    thing = entry.thing
    _lock(thing)
    _refuse_restored(entry, thing)
    if entry.deletion_began_at is None:
        entry.deletion_began_at = now()
        application = thing if isinstance(thing, Application) else thing.application
        is_whole = thing is application
        _record(
            "application.delete" if is_whole else "environment.delete",
            application,
            application.slug if is_whole else f"{application.slug}/{thing.slug}",
            actor,
        )
    enqueue_after_commit(Queue.OPERATIONS, DELETE_JOB, entry.id, key=f"delete-{entry.uuid}")


def _lock(thing: Application | Environment) -> None:
    """Of two people who act on it at once the second sees what the first has done. SQLite has
    locked everything already."""
    db.session.refresh(thing, with_for_update={"key_share": True})


def _refuse_restored(entry: TrashEntry, thing: Application | Environment) -> None:
    if thing.trashed_at is None or queries.find_entry(entry.uuid) is None:
        raise Conflict(f"“{thing.name}” is not in the trash any more.")


def _refuse_deleted(entry: TrashEntry, thing: Application | Environment) -> None:
    _refuse_restored(entry, thing)
    if entry.deletion_began_at:
        raise Conflict(f"“{thing.name}” is being deleted for good already.")


def _record(action: str, application: Application, subject: str, actor: User | None) -> None:
    record(
        action,
        subject,
        actor=actor,
        organisation_id=application.organisation_id,
        name=application.name,
    )
