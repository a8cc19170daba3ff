"""The restore drill (N4): a backup is restored into a throw-away instance and compared.

The row of a throw-away instance comes before the instance and goes after it: `sweep` removes what
a drill that was killed has left.
"""

from __future__ import annotations

import logging
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import or_, select

from app.adapters.services import Contents, Order, Server
from app.backups import leases, notices
from app.backups.bringing_back import Stored, pour, stored_of
from app.backups.leases import LeaseLost
from app.backups.models import Backup, BackupPart, DrillInstance, WorkStatus
from app.backups.queries import DRILL_PATIENCE
from app.errors import Invalid, NotFound, PanelError, Unavailable
from app.extensions import db, now
from app.installation import installation
from app.services.provisioning import start
from app.services.servers import server_of
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

DIFFERS = "{name}: what was restored is not what was backed up: {table} had {was}, and has {now}."
DIGEST = "{name}: what was restored has other contents than what was backed up."
GONE = "{name}: the service it was taken from is gone, so that there is no place to restore it."
NOT_TRIED = "It could not be restored for a trial in the time given. {sentence}"
BROKEN = "Something broke on our side while it was restored for a trial."


@dataclass(frozen=True)
class _Drill:
    """One part and its throw-away instance, as plain facts."""

    row_id: int
    token: str
    name: str
    server: Server
    order: Order
    stored: Stored
    counts: dict[str, int]
    digest: str


def prove(backup_id: int) -> None:
    """Restore every part for a trial and note the outcome. Does nothing when it is noted already,
    or somebody is at it. A server that is down is no fault of the backup: it is tried again for
    12 hours, then said."""
    backup = db.session.get(Backup, backup_id)
    if backup is None or not _is_due(backup):
        return
    parts = [part.id for part in backup.parts]
    end_reading()
    try:
        for part_id in parts:
            if not _prove_part(part_id):
                return
        sentence = ""
    except LeaseLost:
        return
    except Unavailable as error:
        logger.warning("backup %s could not be proved yet: %s", backup_id, error.sentence)
        sentence = NOT_TRIED.format(sentence=error.sentence)
        if not _is_too_late(backup_id):
            return
    except (Invalid, NotFound) as error:
        sentence = error.sentence
    except Exception:
        # An edge: one that breaks each time must be told of, too.
        logger.exception("the drill of backup %s broke", backup_id)
        sentence = BROKEN
        if not _is_too_late(backup_id):  # a moment's trouble of ours says nothing of the backup
            return
    db.session.rollback()
    with unit_of_work():
        _note(leases.lock(Backup, backup_id), sentence)


def _is_due(backup: Backup) -> bool:
    return (
        backup.status == WorkStatus.SUCCEEDED
        and backup.deletion_began_at is None
        and backup.proved_at is None
        and backup.proof_failed_at is None
    )


def _is_too_late(backup_id: int) -> bool:
    db.session.rollback()
    backup = db.session.get_one(Backup, backup_id)
    ended = backup.ended_at or backup.created_at
    db.session.rollback()
    return ended < now() - DRILL_PATIENCE


def _note(backup: Backup | None, sentence: str) -> None:
    if backup is None or not _is_due(backup):
        return
    backup.proof_sentence = sentence
    if sentence:
        backup.proof_failed_at = now()
        db.session.flush()
        notices.tell_of_failed_proof(backup)
    else:
        backup.proved_at = now()


def _prove_part(part_id: int) -> bool:
    """Raises what is wrong with it; False when somebody else is at it."""
    with unit_of_work():
        row_id, token = _make_row(part_id)
    if row_id is None:
        return False
    with leases.holding(DrillInstance, row_id, token) as lost:
        drill = _load(row_id, token)
        if drill is None:
            return False
        try:
            _compare(drill, _restore(drill, lost))
        finally:
            db.session.rollback()
            with suppress(PanelError):  # the row stays, and what it stands for is swept later
                _remove(drill.row_id, drill.token, drill.server, drill.order.key)
    return True


def _make_row(part_id: int) -> tuple[int | None, str]:
    """A row for a new throw-away instance. One that a lost drill left is swept first."""
    part = db.session.get_one(BackupPart, part_id)
    if db.session.scalar(select(DrillInstance.id).where(DrillInstance.part_id == part_id)):
        return None, ""
    if part.instance is None:
        raise Invalid(GONE.format(name=part.prefix))
    row = DrillInstance(
        part=part,
        server=part.instance.server,
        kind=part.kind,
        key="d" + secrets.token_hex(8)[:15],
        password=secrets.token_urlsafe(24),
        lease_token=secrets.token_hex(8),
        heartbeat_at=now(),
    )
    db.session.add(row)
    db.session.flush()
    return row.id, row.lease_token or ""


def _load(row_id: int, token: str) -> _Drill | None:
    row = db.session.get_one(DrillInstance, row_id)
    part = row.part
    if part is None:
        return None
    extensions = part.instance.options.get("extensions", ()) if part.instance else ()
    drill = _Drill(
        row_id=row_id,
        token=token,
        name=part.instance.name if part.instance else part.prefix,
        server=server_of(row.server),
        order=Order(row.key, row.password, extensions=tuple(extensions)),
        stored=stored_of(part),
        counts=part.contents.get("counts", {}),
        digest=part.contents.get("digest", ""),
    )
    end_reading()
    return drill


def _restore(drill: _Drill, lost: threading.Event) -> Contents:
    """What is in it after the restore."""

    def look() -> None:
        if lost.is_set():
            raise LeaseLost

    backend = installation().adapters.services.of(drill.server.kind)
    start(drill.server)
    facts = backend.provision(drill.server, drill.order)
    pour(drill.stored, drill.server, facts, look)
    return backend.contents(drill.server, facts)


def _compare(drill: _Drill, found: Contents) -> None:
    """Raises `Invalid` naming the first difference."""
    for table in sorted({*drill.counts, *found.counts}):
        was, is_now = drill.counts.get(table), found.counts.get(table)
        if was != is_now:
            facts = {"was": _said(was), "now": _said(is_now)}
            raise Invalid(DIFFERS.format(name=drill.name, table=f"“{table}”", **facts))
    if drill.digest and found.digest and drill.digest != found.digest:
        raise Invalid(DIGEST.format(name=drill.name))


def _said(count: int | None) -> str:
    return "nothing" if count is None else f"{count:,}"


def sweep() -> None:
    """Remove the throw-away instances of drills that were lost."""
    silent = leases.silent_before()
    alone = or_(DrillInstance.heartbeat_at.is_(None), DrillInstance.heartbeat_at < silent)
    numbers = db.session.scalars(select(DrillInstance.id).where(alone)).all()
    end_reading()
    for number in numbers:
        with unit_of_work():
            row = db.session.get(DrillInstance, number, with_for_update=True)
            if row is None or not leases.is_silent(row.heartbeat_at):
                continue
            row.lease_token, row.heartbeat_at = secrets.token_hex(8), now()
        token, key = row.lease_token, row.key
        try:
            server = server_of(row.server)
            end_reading()
            start(server)
            installation().adapters.services.of(server.kind).tidy(server, key, {})
            _remove(number, token, server, key)
        except PanelError as error:
            db.session.rollback()
            logger.warning("a throw-away instance is not removed yet: %s", error.sentence)


def _remove(row_id: int, token: str, server: Server, key: str) -> None:
    """The instance first, its row last."""
    installation().adapters.services.of(server.kind).deprovision(server, key, {})
    with unit_of_work():
        row = db.session.get(DrillInstance, row_id)
        if row is not None and row.lease_token == token:
            db.session.delete(row)
