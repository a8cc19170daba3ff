"""What the matrix of permissions asks about backups: rows, forms and addresses."""

from __future__ import annotations

from collections.abc import Mapping

from app.adapters.services import ServiceKind
from app.backups.content import CONTENT_OF
from app.backups.downloading import path_of
from app.backups.models import Backup, BackupOrigin, BackupPart, Download, WorkStatus
from app.backups.queries import hash_of
from app.environments.models import Environment
from app.extensions import db, now
from app.services.models import ServiceInstance
from tests.backups.data import FILES, ROWS, fill, instance
from tests.panel import ALICE, Panel, environment, user_of

BACKUP = "00000000-0000-4000-8000-0000000000e1"
DATABASE_PART, MEDIA_PART = (f"00000000-0000-4000-8000-0000000000e{n}" for n in (2, 3))
DOWNLOAD = "00000000-0000-4000-8000-0000000000e4"
TOKEN = "made-up"
"""As `values` of the matrix has it for every address with a token."""
PREFIX = "SAVED"
FORMS: Mapping[str, Mapping[str, str]] = {
    "backups.take": {"contents": "both", "note": "before the move"},
    "backups.schedule": {
        "is_on": "y",
        "hour": "4",
        "zone": "Europe/Zurich",
        "daily": "7",
        "weekly": "4",
        "monthly": "12",
    },
    "backups.delete": {"name": "Live"},
    "restoring.confirm": {"contents": "both", "name": "Live"},
    "restoring.confirm_part": {"name": "Live"},
    "site_backups.ask": {"part": DATABASE_PART, "words": "All pages are gone since noon."},
}


def address_of(endpoint: str) -> dict[str, object]:
    """What its address names; inside an app context."""
    if not endpoint.startswith(("backups.", "restoring.")):
        return {}
    into = db.select(ServiceInstance.uuid).where(ServiceInstance.prefix == PREFIX)
    return {
        "name": "live",
        "backup_uuid": BACKUP,
        "part_uuid": DATABASE_PART,
        "environment_uuid": db.session.scalar(
            db.select(Environment.uuid).join(Backup).where(Backup.uuid == BACKUP)
        ),
        "service_uuid": db.session.scalars(into.order_by(ServiceInstance.id)).first(),
    }


def settle(panel: Panel, where: str = "live") -> None:
    """A good backup of a database and media, and a download of Alice's that is ready."""
    rows = {
        DATABASE_PART: fill(panel, where, ServiceKind.POSTGRESQL, ROWS, prefix=PREFIX),
        MEDIA_PART: fill(panel, where, ServiceKind.OBJECT_STORAGE, FILES, prefix=PREFIX),
    }
    with panel.work():
        backup = Backup(
            uuid=BACKUP,
            environment_id=environment(where).id,
            actor=user_of(ALICE),
            origin=BackupOrigin.ON_DEMAND,
            status=WorkStatus.SUCCEEDED,
            started_at=now(),
            ended_at=now(),
            parts=[_part(uuid, instance_uuid) for uuid, instance_uuid in rows.items()],
        )
        db.session.add(backup)
        db.session.add(
            Download(
                uuid=DOWNLOAD,
                part=backup.parts[0],
                actor=user_of(ALICE),
                status=WorkStatus.SUCCEEDED,
                token_hash=hash_of(TOKEN),
                bytes=9,
                expires_at=now().replace(year=now().year + 1),
            )
        )
        file = path_of(DOWNLOAD)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"PGDMP dump")


def _part(uuid: str, instance_uuid: str) -> BackupPart:
    row = instance(instance_uuid)
    return BackupPart(
        uuid=uuid,
        instance=row,
        content=CONTENT_OF[row.kind],
        kind=row.kind,
        version=row.server.version,
        prefix=row.prefix,
        status=WorkStatus.SUCCEEDED,
        stored_bytes=2_000_000,
        plain_bytes=9,
        sha256="1" * 64,
        plain_sha256="2" * 64,
        contents={"counts": {"people": 2, "pages": 1}, "digest": "3"},
    )
