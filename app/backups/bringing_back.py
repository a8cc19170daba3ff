"""Brings the data of a part into an instance: checked first, after a safety backup, under a lease.

A worker may be killed anywhere: `recover` closes the restoration with a sentence that says what
state the data is in, and where what was there before lies.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from dataclasses import dataclass

from app.adapters.services import Facts, Server
from app.backups import leases, streams, taking
from app.backups.leases import LeaseLost
from app.backups.measuring import Measure
from app.backups.models import Backup, BackupOrigin, BackupPart, Restoration, WorkStatus
from app.backups.operations import begin_backup, doom
from app.backups.restoring import close_restoration
from app.deployments.models import DeploymentStatus
from app.deployments.operations import enqueue_run
from app.deployments.queries import active_deployments
from app.environments.operations import take_turns
from app.errors import Invalid, PanelError, Unavailable
from app.extensions import db, now
from app.installation import installation
from app.jobs.heartbeats import let_heartbeats_through
from app.seals import present_seal
from app.services.models import ServiceState
from app.services.provisioning import start
from app.transactions import unit_of_work

logger = logging.getLogger(__name__)

UNTOUCHED = "Nothing was changed."
LOST = "The process that restored ended unexpectedly."
BROKEN = "Something broke on our side."
NO_BACKUP = "What was to be restored could not be taken, or is gone. Nothing was changed."
NO_SAFETY = "No safety backup could be taken of what is there ({reason}). Nothing was changed."
TRASHED = "The environment went to the trash meanwhile. Nothing was changed."
NOT_PROVISIONED = "The service could not be provisioned. Nothing was copied into it."
HALF = (
    "The data in {service} may be incomplete now: restore again, or go back to what was there "
    "before by the safety backup of {taken} UTC."
)
HALF_NEW = "The data in {service} may be incomplete: it was new and empty before. Copy it again."

_PAUSE = 1.0
"""Seconds between two tries to tidy up at a server that is away."""


@dataclass(frozen=True)
class Stored:
    """A published part as plain facts."""

    name: str
    plain: Measure
    stored: Measure


@dataclass(frozen=True)
class _Work:
    restoration_id: int
    token: str
    look: streams.Look


def restore(restoration_id: int) -> None:
    """Run a waiting restoration, if its time has come: the backup is there, the service works and
    no deployment runs in its environment. The scheduler asks again otherwise."""
    with unit_of_work():
        row = leases.lock(Restoration, restoration_id)
        token = _begin(row) if row and row.status == WorkStatus.WAITING else None
        is_copy = bool(row and row.part and row.part.backup.origin == BackupOrigin.COPY)
    if token is None:
        return
    try:
        with leases.holding(Restoration, restoration_id, token) as lost:
            work = _Work(restoration_id, token, leases.watch(lost, is_copy=is_copy))
            sentence = _run(work)
            with unit_of_work():
                _close(leases.lock_held(Restoration, restoration_id, token), sentence)
    except LeaseLost:
        logger.warning("restoration %s was taken over", restoration_id)


def recover(restoration_id: int) -> None:
    """Close a restoration whose worker was lost, saying what state the data is in."""
    let_heartbeats_through()
    with unit_of_work():
        row = leases.take_over(Restoration, restoration_id)
        token = leases.renew(row) if row else None
    if token is None:
        return
    try:
        with leases.holding(Restoration, restoration_id, token) as lost:
            _tidy_patiently(restoration_id, lost)
            with unit_of_work():
                row = leases.lock_held(Restoration, restoration_id, token)
                _close(row, f"{LOST} {_state(row)}")
    except LeaseLost:
        logger.warning("restoration %s was taken over", restoration_id)


def _begin(row: Restoration) -> str | None:
    """The token, or None while it has to wait. What cannot come any more is closed."""
    environment_id = row.instance.environment_id
    take_turns(environment_id)
    part, instance = row.part, row.instance
    if part is None or part.status == WorkStatus.FAILED or part.backup.deletion_began_at:
        _close(row, f"{part.sentence if part else ''} {NO_BACKUP}".strip())
        return None
    if instance.state in (ServiceState.FAILED, ServiceState.REMOVING) or instance.trashed_at:
        _close(row, NOT_PROVISIONED)
        return None
    if instance.environment.is_trashed:
        _close(row, TRASHED)
        return None
    deploys = any(
        active.status == DeploymentStatus.RUNNING for active in active_deployments(environment_id)
    )
    if part.status != WorkStatus.SUCCEEDED or not instance.is_functional or deploys:
        return None
    return leases.take(row)


def _close(row: Restoration, sentence: str) -> None:
    """Also lets deployments go on that waited for it, and removes what was on its way only."""
    close_restoration(row, sentence)
    safety = row.safety_backup
    if safety and safety.status == WorkStatus.WAITING:  # lost before it was begun
        safety.status, safety.sentence, safety.ended_at = WorkStatus.FAILED, taking.LOST, now()
    if row.part and row.part.backup.origin == BackupOrigin.COPY:
        doom(row.part.backup)
    for waiting in active_deployments(row.instance.environment_id):
        if waiting.status == DeploymentStatus.QUEUED:
            enqueue_run(waiting.id)


def _run(work: _Work) -> str:
    """Returns why it failed, or nothing."""
    try:
        stored = _load_stored(work.restoration_id)
        _verify(stored, work)
        _take_safety(work)
        _overwrite(stored, work)
    except LeaseLost:
        raise
    except PanelError as error:
        sentence = error.sentence
    except Exception:
        # An edge, like that of the pipeline: a restoration must not run for ever.
        logger.exception("restoration %s broke", work.restoration_id)
        sentence = BROKEN
    else:
        return ""
    db.session.rollback()
    _tidy(work.restoration_id)
    row = db.session.get_one(Restoration, work.restoration_id)
    return sentence if sentence.endswith(UNTOUCHED) else f"{sentence} {_state(row)}"


def _tidy_patiently(restoration_id: int, lost: threading.Event) -> None:
    """`_tidy`; a server that went away with the worker may be back in a moment."""
    until = time.monotonic() + 2 * installation().settings.times.lease
    while not _tidy(restoration_id) and time.monotonic() < until:
        if lost.wait(_PAUSE):
            raise LeaseLost


def _tidy(restoration_id: int) -> bool:
    """Remove what was half made beside the instance, if that was touched, for whoever holds the
    lease. False for a server that is away: what it keeps of it goes at another try, or with the
    next restore into it."""
    row = db.session.get_one(Restoration, restoration_id, populate_existing=True)
    instance_id, is_touched = row.instance_id, row.touched_at is not None
    db.session.rollback()
    if not is_touched:
        return True
    try:
        made = taking.load_functional(instance_id)
        start(made.server)
        backend = installation().adapters.services.of(made.server.kind)
        backend.tidy(made.server, made.facts["key"], made.facts)
    except PanelError as error:
        logger.warning("restoration %s left something behind: %s", restoration_id, error.sentence)
        return not (isinstance(error, Unavailable) and error.retry)
    except Exception:
        # An edge as well: what is left behind must not keep the restoration from being closed.
        logger.exception("restoration %s left something behind", restoration_id)
    return True


def _state(row: Restoration) -> str:
    if row.touched_at is None:
        return UNTOUCHED
    if row.safety_backup is None:
        return HALF_NEW.format(service=row.instance.name)
    taken = f"{row.safety_backup.created_at:%Y-%m-%d %H:%M}"
    return HALF.format(service=row.instance.name, taken=taken)


def _load_stored(restoration_id: int) -> Stored:
    row = db.session.get_one(Restoration, restoration_id)
    stored = stored_of(row.part) if row.part else None
    db.session.rollback()
    if stored is None:
        raise Invalid(NO_BACKUP)
    return stored


def stored_of(part: BackupPart) -> Stored:
    """What the store should give for a part."""
    return Stored(
        part.uuid,
        Measure(part.plain_bytes, part.plain_sha256),
        Measure(part.stored_bytes, part.sha256),
    )


def _verify(stored: Stored, work: _Work) -> None:
    """Before anything is touched: a file that is damaged or gone, or a key that is missing, changes
    nothing."""
    store = installation().adapters.backup_store
    with closing(store.open(stored.name)) as file:
        streams.refuse_unopenable(file, present_seal().identities())
    with closing(store.open(stored.name)) as file:
        if streams.measure(file, work.look) != stored.stored:
            raise Invalid(streams.DAMAGED)


def _take_safety(work: _Work) -> None:
    """A backup of what is there. Raises `Invalid` when there is none: nothing is touched then."""
    with unit_of_work():
        row = leases.lock_held(Restoration, work.restoration_id, work.token)
        if not row.needs_safety:
            return
        instance = row.instance
        backup = begin_backup(instance.environment, [instance], BackupOrigin.SAFETY, row.actor)
        backup.note = f"Before a restore into {instance.name}"
        row.safety_backup = backup
        db.session.flush()
        backup_id = backup.id
    taking.take(backup_id)
    backup = db.session.get_one(Backup, backup_id, populate_existing=True)
    reason = "" if backup.status == WorkStatus.SUCCEEDED else backup.sentence or taking.LOST
    db.session.rollback()
    if reason:
        raise Invalid(NO_SAFETY.format(reason=reason.rstrip(".")))


def _overwrite(stored: Stored, work: _Work) -> None:
    with unit_of_work():
        row = leases.lock_held(Restoration, work.restoration_id, work.token)
        instance_id = row.instance_id
    made = taking.load_functional(instance_id)
    start(made.server)
    with unit_of_work():
        leases.lock_held(Restoration, work.restoration_id, work.token).touched_at = now()
    pour(stored, made.server, made.facts, work.look)


def pour(stored: Stored, server: Server, facts: Facts, look: streams.Look) -> None:
    """Replace what is in an instance by a stored part. Raises `Invalid` when what was read is not
    what was written, whatever the backend made of it."""
    here = installation()
    backend = here.adapters.services.of(server.kind)
    identities = present_seal().identities()
    streams.consume(
        lambda: here.adapters.backup_store.open(stored.name),
        # `_verify` has seen that there is no damage, or it goes into a throw-away instance. What
        # comes after that is told by age.
        lambda source: backend.restore(server, facts, source, is_whole=True),
        identities,
        look,
        expected=stored.plain,
    )
