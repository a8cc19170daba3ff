"""The final deletion: what lies in the trash goes for good, from the outside in.

First what runs, then what lies on disk, the rows last: they are how a later run knows what is
still to be done. Each stage finds what there is by rows and labels and is fine with nothing to do,
so a worker may be killed anywhere; the scheduler has the deletion run again until the rows are
gone. Only what carries our labels, or a uuid of ours as its name, is ever touched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select

from app.adapters.engine import LABEL_ENVIRONMENT, LABEL_INSTALLATION
from app.applications.models import Application
from app.backups import deletion as backups
from app.deployments import queries as deployments
from app.deployments.cut_off_builds import list_others
from app.deployments.models import (
    Build,
    Container,
    CurrentRelease,
    Deployment,
    DeploymentStatus,
    Release,
    WorkerContainer,
)
from app.deployments.pipeline.context import JOURNAL_PREFIX
from app.environments.models import Environment
from app.errors import PanelError, Unavailable
from app.extensions import db, now
from app.installation import Installation
from app.lifecycle.models import TrashEntry
from app.lifecycle.queries import all_environments
from app.logs.queries import log_store
from app.repositories.models import Repository
from app.routes.operations import touch_feed
from app.routes.queries import load_feed
from app.services.operations import doom_instances
from app.services.provisioning import remove_for_good
from app.services.queries import list_all_instances
from app.signals import deletion_stage_begun
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

WAITS = "A deployment that runs there is being stopped first."


@dataclass(frozen=True)
class Doomed:
    """All there is to delete, as plain facts: the rows go while the work is done."""

    installation_id: str
    application_id: int | None
    """Set when the whole application goes, not one environment of it."""
    environment_ids: tuple[int, ...]
    environment_uuids: tuple[str, ...]
    deployment_uuids: tuple[str, ...]
    repository_key: str = ""


def delete_for_good(installation: Installation, entry_id: int) -> bool:
    """Delete what lies in a doomed entry. Returns whether it is gone; when it is not yet, the
    entry says why, and the next run goes on."""
    entry = db.session.get(TrashEntry, entry_id)
    if entry is None:
        return True
    if entry.deletion_began_at is None:
        return False
    doomed = find_doomed(entry)
    if _is_busy(doomed):
        _note(entry_id, WAITS)
        return False
    try:
        for number, stage in enumerate(STAGES):
            deletion_stage_begun.send(number=number, stage=stage.__name__)
            stage(installation, doomed)
    except PanelError as error:
        db.session.rollback()
        _note(entry_id, error.sentence)
        return False
    return True


def find_doomed(entry: TrashEntry) -> Doomed:
    application = entry.application
    environments = [entry.environment] if entry.environment else []
    if application:
        environments = list(all_environments(application.id))
    numbers = [row.id for row in environments if row]
    uuids = db.session.scalars(
        select(Deployment.uuid).where(Deployment.environment_id.in_(numbers))
    )
    key = select(Repository.uuid).where(
        Repository.application_id == (application.id if application else None)
    )
    doomed = Doomed(
        installation_id=load_feed().epoch,
        application_id=application.id if application else None,
        environment_ids=tuple(numbers),
        environment_uuids=tuple(row.uuid for row in environments if row),
        deployment_uuids=tuple(uuids),
        repository_key=db.session.scalar(key) or "",
    )
    db.session.rollback()
    return doomed


def _is_busy(doomed: Doomed) -> bool:
    """Whether a deployment that was asked to stop has not done so yet."""
    running = db.session.scalar(
        select(Deployment.id).where(
            Deployment.environment_id.in_(doomed.environment_ids),
            Deployment.status == DeploymentStatus.RUNNING,
        )
    )
    db.session.rollback()
    return running is not None


def _note(entry_id: int, sentence: str) -> None:
    logger.warning("trash entry %s is not deleted yet: %s", entry_id, sentence)
    with unit_of_work():
        entry = db.session.get(TrashEntry, entry_id)
        if entry:
            entry.failure = sentence


# Stages, in order ---------------------------------------------------------------------------


def remove_containers(installation: Installation, doomed: Doomed) -> None:
    """Of any role: those that serve, and one-off ones that a lost worker left."""
    engine = installation.adapters.engine
    for uuid in doomed.environment_uuids:
        for state in engine.list_containers(_labels(doomed, uuid)):
            engine.remove_container(state.name)


def remove_backups(installation: Installation, doomed: Doomed) -> None:
    """From the store, with their rows. One that is being taken or restored is finished first."""
    backups.remove_backups(doomed.environment_ids)


def remove_services(installation: Installation, doomed: Doomed) -> None:
    """Databases, buckets and the like, each with its row: a server that does not answer keeps the
    rest, and is asked again with the next run."""
    with unit_of_work():
        numbers = doom_instances(doomed.environment_ids)
    for number in numbers:
        remove_for_good(number)
    with unit_of_work():
        if list_all_instances(doomed.environment_ids):
            raise Unavailable("Another worker is removing services there.")


def remove_networks(installation: Installation, doomed: Doomed) -> None:
    engine = installation.adapters.engine
    for uuid in doomed.environment_uuids:
        for name in engine.list_networks(_labels(doomed, uuid)):
            engine.remove_network(name)


def _labels(doomed: Doomed, environment_uuid: str) -> dict[str, str]:
    return {LABEL_INSTALLATION: doomed.installation_id, LABEL_ENVIRONMENT: environment_uuid}


def remove_images(installation: Installation, doomed: Doomed) -> None:
    """Images that only the doomed can need. Rows say so first: no deployment takes one that is
    about to go."""
    with unit_of_work():
        builds = db.session.scalars(select(Build).where(is_only_for(doomed))).all()
        for build in builds:
            build.removed_at = build.removed_at or now()
        tags = [build.tag for build in builds]
    for tag in tags:
        installation.adapters.engine.remove_image(tag)


def is_only_for(doomed: Doomed) -> ColumnElement[bool]:
    """A condition on builds: made for the doomed, and neither released elsewhere nor about to be
    by a deployment under way, which may take the image of its commit."""
    if doomed.application_id is not None:
        return Build.application_id == doomed.application_id
    elsewhere = select(Release.build_id).where(
        Release.environment_id.not_in(doomed.environment_ids)
    )
    wanted = (
        select(Deployment.commit)
        .join(Environment, Environment.id == Deployment.environment_id)
        .where(
            Deployment.status.in_(deployments.ACTIVE),
            Environment.application_id == Build.application_id,
        )
        .correlate(Build)
    )
    return (
        Build.environment_id.in_(doomed.environment_ids)
        & Build.id.not_in(elsewhere)
        & Build.commit.not_in(wanted)
    )


def remove_working_files(installation: Installation, doomed: Doomed) -> None:
    """Build contexts, and what builds noted that were cut off."""
    folder = installation.settings.data_dir / "tmp"
    journals = [folder / f"{JOURNAL_PREFIX}{uuid}" for uuid in doomed.deployment_uuids]
    for uuid in doomed.deployment_uuids:
        (folder / f"context-{uuid}.tar").unlink(missing_ok=True)
    for journal in journals:
        if journal.exists():
            others = list_others(folder, journals)
            installation.adapters.image_builder.sweep(journal, others)


def remove_logs(installation: Installation, doomed: Doomed) -> None:
    """What deployments wrote, and what containers and cron jobs printed."""
    logs = log_store()
    for uuid in doomed.deployment_uuids:
        logs.deployment(uuid).delete()
    for uuid in doomed.environment_uuids:
        logs.runtime(uuid).delete()
        logs.delete_cron_runs(uuid)


def remove_repository(installation: Installation, doomed: Doomed) -> None:
    if doomed.repository_key:
        installation.adapters.repositories.delete(doomed.repository_key)


def remove_rows(installation: Installation, doomed: Doomed) -> None:
    """All at once. Rows that refer to rows of the same environment go first, the rest goes with
    the environment. Audit lines refer to nothing and stay."""
    of_environment = doomed.environment_ids
    with unit_of_work():
        for model in (CurrentRelease, Container, WorkerContainer, Deployment, Release):
            _delete(delete(model).where(model.environment_id.in_(of_environment)))
        _delete(delete(Build).where(is_only_for(doomed), Build.removed_at.is_not(None)))
        _delete(delete(Environment).where(Environment.id.in_(of_environment)))
        if doomed.application_id is not None:
            _delete(delete(Application).where(Application.id == doomed.application_id))
        touch_feed()


def _delete(statement: object) -> None:
    db.session.execute(statement, execution_options={"synchronize_session": False})  # type: ignore[call-overload]


STAGES: tuple[Callable[[Installation, Doomed], None], ...] = (
    remove_containers,
    remove_backups,
    remove_services,
    remove_networks,
    remove_images,
    remove_working_files,
    remove_logs,
    remove_repository,
    remove_rows,
    # Once more: the observer may have written the last lines of a container that had just ended.
    remove_logs,
)
