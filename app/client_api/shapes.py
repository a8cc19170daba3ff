"""How things look to clients; each is named by its uuid."""

from __future__ import annotations

import datetime

from app.accounts.models import User
from app.adapters.services import Content
from app.applications.models import Application
from app.backups.content import CONTENT_OF
from app.backups.models import Backup, BackupPart, Download, Restoration, WorkStatus
from app.environments.models import Environment
from app.repositories.queries import load_repository
from app.services.models import ServiceInstance

Shape = dict[str, object]

TYPES = {Content.DATABASE: "DATABASE", Content.MEDIA: "STORAGE"}
STATES = {
    WorkStatus.WAITING: "QUEUED",
    WorkStatus.RUNNING: "RUNNING",
    WorkStatus.SUCCEEDED: "COMPLETED",
    WorkStatus.FAILED: "COMPLETED",
}
"""Of backups: clients ask again until it is “COMPLETED”, which failed ones are too."""
OUTCOMES = {WorkStatus.SUCCEEDED: "SUCCESS", WorkStatus.FAILED: "FAILURE"}


def moment(value: datetime.datetime | None) -> str | None:
    """ISO 8601 in UTC, ending with “Z”."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def show_person(user: User) -> Shape:
    first, _, last = user.name.partition(" ")
    return {
        "uuid": user.uuid,
        "email": user.email,
        "first_name": first,
        "last_name": last,
        "created_at": moment(user.created_at),
    }


def show_application(application: Application) -> Shape:
    return {
        "uuid": application.uuid,
        "slug": application.slug,
        "name": application.name,
        "organisation": application.organisation.uuid,
        "repository": load_repository(application.id).uuid,
        "created_at": moment(application.created_at),
    }


def show_environment(environment: Environment) -> Shape:
    return {
        "uuid": environment.uuid,
        "application": environment.application.uuid,
        "slug": environment.slug,
        "name": environment.name,
        "branch": environment.branch,
        "region": environment.region.uuid,
    }


def show_instance(instance: ServiceInstance) -> Shape:
    """`type` is a word of the client's for what has data, and else the kind's own."""
    content = CONTENT_OF.get(instance.kind)
    return {
        "uuid": instance.uuid,
        "environment": instance.environment.uuid,
        "prefix": instance.prefix,
        "type": TYPES[content] if content else instance.kind.upper(),
        "service": instance.server.name,
        "service_status": instance.state.upper(),
        "region": instance.server.region.uuid,
    }


def show_backup(backup: Backup) -> Shape:
    """`success` is None until it has ended."""
    return {
        "uuid": backup.uuid,
        "environment": backup.environment.uuid,
        "state": STATES[backup.status],
        "success": OUTCOMES.get(backup.status),
        "notes": backup.note,
        "service_instance_backups": [part.uuid for part in backup.parts],
        "queued_at": moment(backup.created_at),
        "started_at": moment(backup.started_at),
        "ended_at": moment(backup.ended_at),
        "scheduled_for_deletion_at": moment(backup.expires_at),
    }


def show_part(part: BackupPart) -> Shape:
    ended_at = part.backup.ended_at if part.backup.status.is_final else None
    sentence = part.sentence or part.backup.sentence
    return {
        "uuid": part.uuid,
        "backup": part.backup.uuid,
        "service_instance": part.instance.uuid if part.instance else None,
        "service_type": TYPES[part.content],
        "queued_at": moment(part.created_at),
        "started_at": moment(part.backup.started_at),
        "ended_at": moment(ended_at),
        "taken_at": moment(part.backup.started_at),
        "size": part.stored_bytes,
        "errors": [sentence] if part.status == WorkStatus.FAILED else [],
    }


def show_download(download: Download, url: str | None) -> Shape:
    return {
        "uuid": download.uuid,
        "backup_download": download.uuid,
        "service_instance_backup": download.part.uuid,
        "ended_at": moment(download.ended_at),
        "errors": [download.sentence] if download.status == WorkStatus.FAILED else [],
        "size": download.bytes,
        "download_url": url,
        "expires_at": moment(download.expires_at),
    }


def show_restoration(row: Restoration) -> Shape:
    return {
        "uuid": row.uuid,
        "service_instance": row.instance.uuid,
        "service_instance_backup": row.part.uuid if row.part else None,
        "finished": row.status.is_final,
        "success": OUTCOMES.get(row.status),
        "errors": [row.sentence] if row.sentence else [],
        "started_at": moment(row.started_at),
        "ended_at": moment(row.ended_at),
    }
