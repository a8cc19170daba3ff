"""What people bring, on its way to be a backup: asked for, sent, and handed to a worker.

The web process may only write here, and what it writes it cannot read: the file is encrypted for
workers while it comes in. A worker makes a backup of it (`taking`), whatever it holds.
"""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, cast

from sqlalchemy import select

from app.accounts.models import User
from app.adapters.services import Contents, ServiceKind
from app.backups import streams
from app.backups.content import list_backed_up
from app.backups.measuring import BLOCK
from app.backups.models import Backup, BackupOrigin, BackupPart, Upload, WorkStatus
from app.backups.operations import begin_backup, cleaned_note, enqueue_backup
from app.backups.queries import hash_of
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid, Unavailable
from app.extensions import db, now
from app.installation import installation
from app.seals import present_seal
from app.transactions import end_reading, unit_of_work

FOLDER = "uploads"
OPEN = datetime.timedelta(hours=6)
"""How long it may be sent: 2 GB over a line of 1 Mbit/s take five."""
ABANDONED = datetime.timedelta(days=1)
NOTHING = "Nothing was brought: the file never came, or not in time. Push it again."
FULL = "There is too little room on the disk to take a file of this size in. Tell the operator."
TRASHED = "It is in the trash. Restore it first, then push into it."
NO_SERVICE = "There is no such database or storage in this environment that works."


def begin_upload(
    environment: Environment,
    uuids: Collection[str],
    actor: User,
    note: str = "",
    expires_at: datetime.datetime | None = None,
) -> tuple[Backup, dict[str, str]]:
    """A backup that waits to be brought, with a part for each of the environment's instances
    `uuids`; and the secret end of each one's address, by the instance's uuid. Raises `Invalid` for
    what is not there, `Conflict` in the trash. The right is `BACKUPS_RESTORE`: a file is brought
    to take the place of data. Belongs into a unit of work."""
    take_turns(environment.id)
    db.session.refresh(environment)
    if environment.is_trashed:
        raise Conflict(TRASHED)
    instances = [row for row in list_backed_up(environment.id) if row.uuid in uuids]
    if not instances or len(instances) != len(set(uuids)):
        raise Invalid(NO_SERVICE, "services")
    backup = begin_backup(environment, instances, BackupOrigin.BROUGHT, actor)
    backup.note, backup.expires_at = cleaned_note(note), expires_at
    tokens = {row.uuid: secrets.token_urlsafe(32) for row in instances}
    for part, row in zip(backup.parts, instances, strict=True):
        until = now() + OPEN
        db.session.add(Upload(part=part, token_hash=hash_of(tokens[row.uuid]), expires_at=until))
    db.session.flush()
    names = ", ".join(row.name for row in instances)
    record_on(environment, "backup.bring", actor, backup=backup.uuid, services=names)
    return backup, tokens


def find_upload(token: str) -> Upload | None:
    """The one of this address, as long as something may be sent there."""
    return db.session.scalar(
        select(Upload)
        .join(Upload.part)
        .join(BackupPart.backup)
        .where(
            Upload.token_hash == hash_of(token),
            Upload.finished_at.is_(None),
            Upload.expires_at > now(),
            Backup.status == WorkStatus.WAITING,
            Backup.deletion_began_at.is_(None),
        )
    )


def path_of(upload_uuid: str) -> Path:
    """Where the encrypted file lies. The web process writes it, workers read it."""
    return installation().settings.data_dir / FOLDER / upload_uuid


def receive(upload: Upload, source: BinaryIO, size: int) -> None:
    """Write what comes, piece by piece and encrypted; sent again, it takes the place of the first.
    `size` is how many bytes are announced. Raises `Unavailable` when there is no room. Opens a
    unit of work itself: none may be held while bytes flow."""
    number, path, recipient = upload.id, path_of(upload.uuid), present_seal().recipient()
    end_reading()
    path.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free - size < installation().settings.free_bytes_needed:
        raise Unavailable(FULL)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            streams.encrypt(
                lambda sink: shutil.copyfileobj(source, sink, BLOCK),
                cast(BinaryIO, file),
                [recipient],
            )
        with unit_of_work():
            row = db.session.get(Upload, number, with_for_update=True)
            if row is None or row.finished_at:
                raise Conflict("This upload is finished.")
            row.recipient = str(recipient)
            draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def finish(upload: Upload) -> None:
    """All is there: have a worker make a backup of it. Belongs into a unit of work."""
    upload.finished_at = now()
    db.session.flush()
    if is_complete(upload.part.backup):
        enqueue_backup(upload.part.backup_id)


def is_complete(backup: Backup) -> bool:
    """Whether nothing more may come for any part of it, so that it can be taken, or be closed."""
    parts = [part.id for part in backup.parts]
    open_ones = select(Upload.id).where(
        Upload.part_id.in_(parts), Upload.finished_at.is_(None), Upload.expires_at > now()
    )
    return db.session.scalar(open_ones.limit(1)) is None


def find_brought(part_id: int) -> Path | None:
    """The file for this part, or None when nothing is brought for it."""
    uuid = db.session.scalar(select(Upload.uuid).where(Upload.part_id == part_id))
    return path_of(uuid) if uuid else None


def take_in(path: Path, kind: ServiceKind, sink: BinaryIO, look: streams.Look) -> Contents:
    """Write what a worker makes of a brought file to `sink`. Raises `Invalid` when there is none,
    or it is not what this kind of service takes."""
    if not path.is_file():
        raise Invalid(NOTHING)
    here = installation()
    backend, most = here.adapters.services.of(kind), here.settings.unpacked_bytes
    return streams.consume(
        lambda: cast(BinaryIO, path.open("rb", buffering=0)),
        lambda source: backend.take_in(source, sink, most),
        present_seal().identities(),
        look,
    )


def forget(backup_id: int) -> None:
    """Remove rows and files of a backup that is closed. What is left of a lost worker is swept."""
    with unit_of_work():
        rows = db.session.scalars(
            select(Upload).join(Upload.part).where(BackupPart.backup_id == backup_id)
        ).all()
        paths = [path_of(row.uuid) for row in rows]
        for row in rows:
            db.session.delete(row)
    for path in paths:
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Remove uploads whose backup is closed, and files that no row stands for."""
    folder = path_of("x").parent
    found = list(folder.iterdir()) if folder.is_dir() else []  # before the rows: those come first
    final = [status for status in WorkStatus if status.is_final]
    with unit_of_work():
        for row in db.session.scalars(
            select(Upload).join(Upload.part).join(BackupPart.backup).where(Backup.status.in_(final))
        ):
            db.session.delete(row)
        db.session.flush()
        living = set(db.session.scalars(select(Upload.uuid)))
    old = (now() - ABANDONED).timestamp()
    for path in found:
        # A draft may be under way; one whose process has died is not written to any more.
        is_draft = path.name.partition(".")[0] in living
        if path.name not in living and (not is_draft or path.stat().st_mtime < old):
            path.unlink(missing_ok=True)
