"""Takes a backup: each part is written, read again, found whole, and only then published.

What a worker was at when it was killed is closed by `recover`: no part of it is shown as good that
was not published and noted before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from app.adapters.services import Contents
from app.backups import leases, streams, uploading
from app.backups.leases import LeaseLost
from app.backups.models import Backup, BackupOrigin, BackupPart, WorkStatus
from app.backups.operations import close_backup, may_begin
from app.errors import Invalid, PanelError, Unavailable
from app.extensions import db
from app.installation import installation
from app.jobs.heartbeats import let_heartbeats_through
from app.seals import present_seal
from app.services.models import ServiceInstance
from app.services.provisioning import Made, made_of, start
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

LOST = "The process that took this backup ended unexpectedly. Nothing of it is shown as good."
BROKEN = "Something broke on our side. Take the backup again; tell the operator if it stays so."
GONE = "The service is not there any more, or is in the trash."
FULL = (
    "There is too little room for backups: {free:.1f} GB are free, {needed:.1f} GB must stay free. "
    "An operator must make room."
)


@dataclass(frozen=True)
class Work:
    """One backup under way."""

    backup_id: int
    token: str
    look: streams.Look


def take(backup_id: int) -> None:
    """Take a waiting backup. Does nothing when it does not wait, or it is not its turn."""
    with unit_of_work():
        backup = leases.lock(Backup, backup_id)
        token = leases.take(backup) if backup and _may_begin(backup) else None
        parts = [part.id for part in backup.parts] if backup else []
        origin = backup.origin if backup else None
    if token is None:
        return
    try:
        with leases.holding(Backup, backup_id, token) as lost:
            look = leases.watch(lost, is_copy=origin == BackupOrigin.COPY)
            work = Work(backup_id, token, look)
            for part_id in parts:
                _take_part(work, part_id)
            with unit_of_work():
                close_backup(leases.lock_held(Backup, backup_id, token))
            if origin == BackupOrigin.BROUGHT:
                uploading.forget(backup_id)
    except LeaseLost:
        logger.warning("backup %s was taken over", backup_id)


def _may_begin(backup: Backup) -> bool:
    is_brought = backup.origin == BackupOrigin.BROUGHT
    return may_begin(backup) and (not is_brought or uploading.is_complete(backup))


def recover(backup_id: int) -> None:
    """Close a backup whose worker was lost, and remove what that left in the store."""
    let_heartbeats_through()
    with unit_of_work():
        backup = leases.take_over(Backup, backup_id)
        if backup is None:
            return
        unfinished = [part for part in backup.parts if part.status != WorkStatus.SUCCEEDED]
        for part in unfinished:
            part.status, part.sentence = WorkStatus.FAILED, part.sentence or LOST
            part.recipient = ""
        names = [part.uuid for part in unfinished]
        close_backup(backup)
    for name in names:
        forget(name)


def _take_part(work: Work, part_id: int) -> None:
    """A part that fails says why and leaves nothing; the others are taken all the same."""
    name = ""
    try:
        name, recipient, made = _begin(work, part_id)
        brought = uploading.find_brought(part_id)
        end_reading()
        refuse_a_full_store()

        def produce(sink: BinaryIO) -> Contents:
            if brought is not None:
                return uploading.take_in(brought, made.server.kind, sink, work.look)
            start(made.server)
            backend = installation().adapters.services.of(made.server.kind)
            return backend.backup(made.server, made.facts, sink)

        _note_success(work, part_id, _write(name, recipient, produce, work))
        return
    except LeaseLost:
        forget(name)
        raise
    except PanelError as error:
        sentence = error.sentence
    except Exception:
        # An edge, like that of the pipeline: a backup must not run for ever.
        logger.exception("part %s of a backup broke", part_id)
        sentence = BROKEN
    db.session.rollback()
    forget(name)
    with unit_of_work():
        leases.lock_held(Backup, work.backup_id, work.token)
        part = db.session.get_one(BackupPart, part_id)
        label = part.instance.name if part.instance else part.prefix
        part.status, part.sentence = WorkStatus.FAILED, f"{label}: {sentence}"
        part.recipient = ""


def _begin(work: Work, part_id: int) -> tuple[str, Any, Made]:
    """The file's name, whom it is for and what to take, read once: nothing is read while bytes
    flow."""
    recipient = present_seal().recipient()
    with unit_of_work():
        leases.lock_held(Backup, work.backup_id, work.token)
        part = db.session.get_one(BackupPart, part_id)
        part.status = WorkStatus.RUNNING
        part.recipient = str(recipient)  # that key is kept, from here on
        instance_id = part.instance_id
        name = part.uuid
    return name, recipient, load_functional(instance_id)


def load_functional(instance_id: int | None) -> Made:
    """The instance as adapters are asked with it. Raises `Unavailable` when it does not work."""
    row = db.session.get(ServiceInstance, instance_id or 0, populate_existing=True)
    try:
        if row is None or row.trashed_at or not row.is_functional:
            raise Unavailable(GONE, retry=False)
        return made_of(row)
    finally:
        end_reading()


def _write(
    name: str, recipient: Any, produce: Callable[[BinaryIO], Contents], work: Work
) -> streams.Written[Contents]:
    """What `produce` writes into the store, verified behind the writing and published."""
    store, identities = installation().adapters.backup_store, present_seal().identities()
    with ThreadPoolExecutor(1, "moonbase-verify") as beside:
        with store.writing(name) as draft:
            seen = beside.submit(streams.measure_plain, draft.read_back, identities, work.look)
            written = streams.encrypt(produce, draft, [recipient], work.look)
        # Only what was encrypted comes out of age again, and only from what was stored.
        if seen.result() != written.plain:
            raise Invalid(streams.DAMAGED)
    with unit_of_work():  # nobody has closed it meanwhile and removed the draft
        leases.lock_held(Backup, work.backup_id, work.token)
    store.publish(name)
    return written


def _note_success(work: Work, part_id: int, written: streams.Written[Contents]) -> None:
    with unit_of_work():
        leases.lock_held(Backup, work.backup_id, work.token)
        part = db.session.get_one(BackupPart, part_id)
        part.status, part.sentence = WorkStatus.SUCCEEDED, ""
        part.plain_bytes, part.plain_sha256 = written.plain.size, written.plain.sha256
        part.stored_bytes, part.sha256 = written.stored.size, written.stored.sha256
        part.contents = {
            "counts": dict(written.answer.counts),
            "digest": written.answer.digest,
        }


def refuse_a_full_store() -> None:
    """Below max(5 GB, 10 %) free no backup begins (architecture, "Disk"). Raises `Unavailable`."""
    here = installation()
    space = here.adapters.backup_store.space()
    if space is None:
        return
    needed = max(here.settings.free_bytes_needed, space.total // 10)
    if space.free < needed:
        raise Unavailable(FULL.format(free=space.free / 1024**3, needed=needed / 1024**3))


def forget(name: str) -> None:
    """Remove what is in the store of a part that is not good. What cannot be removed now is swept
    later."""
    if not name:
        return
    with suppress(PanelError):
        installation().adapters.backup_store.delete(name)
