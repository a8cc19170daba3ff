"""Prepared downloads (F4): a part decrypted into a file for a day, behind a link that is mailed."""

from __future__ import annotations

import datetime
import logging
import os
import secrets
import shutil
import threading
from pathlib import Path
from typing import BinaryIO, cast

from sqlalchemy import select

from app.accounts.models import User
from app.adapters.job_queue import Queue
from app.adapters.services import ServiceKind
from app.adapters.services.exchange import hand_on
from app.backups import leases, streams
from app.backups.bringing_back import Stored, stored_of
from app.backups.content import download_url, file_name
from app.backups.leases import LeaseLost
from app.backups.models import BackupPart, Download, WorkStatus
from app.backups.queries import ACTIVE, hash_of
from app.environments.operations import record_on
from app.errors import Invalid, PanelError, Unavailable
from app.extensions import db, now
from app.installation import installation
from app.jobs.heartbeats import let_heartbeats_through
from app.jobs.queueing import enqueue_after_commit
from app.mails.operations import post_mail
from app.seals import present_seal
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

PREPARE_JOB = "app.backups.jobs.prepare"
KEPT = datetime.timedelta(hours=24)
KEPT_FOR_PROGRAM = datetime.timedelta(hours=1)
FOLDER = "downloads"
LOST = "The process that prepared this download ended unexpectedly. Ask for it again."
BROKEN = "Something broke on our side. Ask for it again; tell the operator if it stays so."
FULL = "There is too little room on the disk to prepare this download. An operator must make room."
LETTER = """\
Hello {name},

the download you asked for is ready: {file} ({size:,} bytes).

    {link}

The link works for 24 hours, until {until} UTC, for you while you are signed in. It is not
encrypted any more: keep it where such data belongs.

SHA-256: {sha256}

Moonbase
"""


def prepare_download(part: BackupPart, actor: User, *, is_for_program: bool = False) -> Download:
    """Have a worker make a decrypted file of the part and mail a link to `actor`, which works for
    24 hours. For a program nothing is mailed, media are a tar of files, and an hour is enough.
    Asked again while it is being made, it is the same. Raises `Invalid` for a part that is not
    there. The right is `BACKUPS_DOWNLOAD`, for the view to name."""
    if part.status != WorkStatus.SUCCEEDED or part.backup.deletion_began_at:
        raise Invalid("This part of the backup is not there: it failed, or it is being deleted.")
    present = db.session.scalar(
        select(Download).where(
            Download.part_id == part.id,
            Download.actor_id == actor.id,
            Download.is_for_program.is_(is_for_program),
            Download.status.in_(ACTIVE),
        )
    )
    if present:
        return present
    row = Download(part=part, actor=actor, is_for_program=is_for_program)
    db.session.add(row)
    db.session.flush()
    backup = part.backup
    record_on(backup.environment, "backup.download", actor, backup=backup.uuid, part=part.uuid)
    enqueue_after_commit(Queue.OPERATIONS, PREPARE_JOB, row.id, key=f"download-{row.id}")
    return row


def path_of(download_uuid: str) -> Path:
    """Where the decrypted file lies. The web process reads it, workers alone write it."""
    return installation().settings.data_dir / FOLDER / download_uuid


def prepare(download_id: int) -> None:
    """Make a waiting download and mail its link. Does nothing when it does not wait."""
    with unit_of_work():
        row = leases.lock(Download, download_id)
        token = leases.take(row) if row and row.status == WorkStatus.WAITING else None
    if row is None or token is None:
        return
    try:
        with leases.holding(Download, download_id, token) as lost:
            sentence = _make(download_id, lost)
            with unit_of_work():
                _close(leases.lock_held(Download, download_id, token), sentence)
    except LeaseLost:
        logger.warning("download %s was taken over", download_id)


def recover(download_id: int) -> None:
    """Close a download whose worker was lost; its file goes with the next `sweep`."""
    let_heartbeats_through()
    with unit_of_work():
        row = leases.take_over(Download, download_id)
        if row is not None:
            _close(row, LOST)


def _make(download_id: int, lost: threading.Event) -> str:
    """Returns why it failed, or nothing."""
    row = db.session.get_one(Download, download_id)
    stored, path = stored_of(row.part), path_of(row.uuid)
    kind = row.part.kind if row.is_for_program else None
    end_reading()

    def look() -> None:
        if lost.is_set():
            raise LeaseLost

    try:
        _decrypt(stored, path, kind, look)
    except LeaseLost:
        path.unlink(missing_ok=True)
        raise
    except PanelError as error:
        sentence = error.sentence
    except OSError:
        logger.exception("download %s cannot be written", download_id)
        sentence = FULL
    except Exception:
        # An edge, like that of a backup.
        logger.exception("download %s broke", download_id)
        sentence = BROKEN
    else:
        return ""
    path.unlink(missing_ok=True)
    return sentence


def _decrypt(stored: Stored, path: Path, kind: ServiceKind | None, look: streams.Look) -> None:
    """As it is stored, or for a `kind` as that hands it out."""
    here = installation()
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    disk = shutil.disk_usage(path.parent)
    if disk.free - stored.plain.size < here.settings.free_bytes_needed:
        raise Unavailable(FULL)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        hand_out = here.adapters.services.of(kind).hand_out if kind else hand_on
        streams.consume(
            lambda: here.adapters.backup_store.open(stored.name),
            lambda source: hand_out(source, cast(BinaryIO, file)),
            present_seal().identities(),
            look,
            expected=stored.plain,
        )
        file.flush()
        os.fsync(file.fileno())


def _close(row: Download, sentence: str) -> None:
    """The link is made here and kept as its hash only; the letter is the one place it stands."""
    row.ended_at, row.lease_token, row.sentence = now(), None, sentence
    row.expires_at = now() + KEPT
    if sentence:
        row.status = WorkStatus.FAILED
        return
    if row.is_for_program:
        row.status, row.bytes = WorkStatus.SUCCEEDED, path_of(row.uuid).stat().st_size
        row.expires_at = now() + KEPT_FOR_PROGRAM
        return
    token = secrets.token_urlsafe(32)
    row.status, row.token_hash = WorkStatus.SUCCEEDED, hash_of(token)
    row.bytes = row.part.plain_bytes
    name = file_name(row.part)
    letter = LETTER.format(
        name=row.actor.name,
        file=name,
        size=row.bytes,
        link=download_url(token),
        until=f"{row.expires_at:%Y-%m-%d %H:%M}",
        sha256=row.part.plain_sha256,
    )
    post_mail(row.actor.email, f"Your download {name} is ready", letter)


def sweep() -> None:
    """Remove rows that have expired, and files that no living row stands for."""
    folder = path_of("x").parent
    found = list(folder.iterdir()) if folder.is_dir() else []  # before the rows: those come first
    with unit_of_work():
        for row in db.session.scalars(select(Download).where(Download.expires_at < now())):
            db.session.delete(row)
        db.session.flush()
        living = set(
            db.session.scalars(
                select(Download.uuid).where(Download.status.in_((*ACTIVE, WorkStatus.SUCCEEDED)))
            )
        )
    for path in found:
        if path.name not in living and path.is_file():
            path.unlink(missing_ok=True)
