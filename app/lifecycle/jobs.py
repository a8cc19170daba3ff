"""What workers do for the trash. Each job takes a number and looks everything else up."""

from __future__ import annotations

from sqlalchemy import select

from app.deployments import reconcile
from app.deployments.missing_images import forget_lost_image
from app.deployments.models import Build
from app.deployments.queries import find_current
from app.domains.models import Domain
from app.environments.models import Environment
from app.extensions import db, now
from app.installation import Installation, installation
from app.lifecycle import deletion, trash
from app.lifecycle.models import TrashEntry
from app.lifecycle.queries import list_due, list_due_domains
from app.logs.queries import log_store
from app.routes.operations import give_up_trashed_host
from app.transactions import unit_of_work


def delete_for_good(entry_id: int) -> None:
    """Delete what is doomed, or whose time in the trash is over."""
    keeps = installation().settings.times.trash
    with unit_of_work():
        entry = db.session.scalar(list_due(keeps).where(TrashEntry.id == entry_id))
        if entry is None:  # restored, or deleted by an earlier run
            return
        if entry.deletion_began_at is None:
            trash.begin_deletion(entry, None)  # which has it done by the job it enqueues
            return
    deletion.delete_for_good(installation(), entry_id)


def delete_due_domain(domain_id: int) -> None:
    """Delete a host name whose time in the trash is over."""
    keeps = installation().settings.times.trash
    with unit_of_work():
        if db.session.scalar(list_due_domains(keeps).where(Domain.id == domain_id)):
            give_up_trashed_host(db.session.get_one(Domain, domain_id), None)


def start_restored(environment_id: int) -> None:
    """Start what an environment ran before it went to the trash, or say that its image is gone."""
    here = installation()
    environment = db.session.get(Environment, environment_id)
    current = find_current(environment_id)
    if environment is None or environment.is_trashed or current is None:
        return
    image = current.release.image
    db.session.rollback()
    if here.adapters.engine.inspect_image(image) is None:
        with unit_of_work():
            forget_lost_image(environment, here.adapters.repositories)
        return
    reconcile.reconcile(here)


def measure(entry_id: int) -> None:
    """Look once how much disk something in the trash occupies: the page must not ask the engine,
    and while it lies there nothing grows."""
    here = installation()
    entry = db.session.get(TrashEntry, entry_id)
    if entry is None:
        return
    repository, images, logs = _sizes(entry, here)
    with unit_of_work():
        entry = db.session.get(TrashEntry, entry_id)
        if entry is not None:
            entry.repository_bytes, entry.image_bytes, entry.log_bytes = repository, images, logs
            entry.measured_at = now()


def _sizes(entry: TrashEntry, here: Installation) -> tuple[int, int, int]:
    """Bytes of repository, images and logs."""
    doomed = deletion.find_doomed(entry)
    kept = select(Build.image).where(deletion.is_only_for(doomed), Build.removed_at.is_(None))
    images = set(db.session.scalars(kept))
    key = doomed.repository_key
    db.session.rollback()
    states = [here.adapters.engine.inspect_image(image) for image in images]
    logs = log_store()
    written = [logs.deployment(uuid).size() for uuid in doomed.deployment_uuids]
    printed = [logs.runtime(uuid).size() for uuid in doomed.environment_uuids]
    return (
        here.adapters.repositories.size(key) if key else 0,
        sum(state.size for state in states if state),
        sum(written) + sum(printed),
    )
