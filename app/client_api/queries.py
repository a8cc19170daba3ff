"""Finding by uuid what clients name."""

from __future__ import annotations

from sqlalchemy import Select, case, select

from app.accounts.models import AccessToken
from app.applications.models import Application
from app.applications.queries import list_applications as list_of_person
from app.backups.content import CONTENT_OF
from app.backups.models import Backup, BackupOrigin, BackupPart, Download, Restoration
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db
from app.services.models import ServiceInstance, ServiceState

IS_KEPT = (Backup.deletion_began_at.is_(None), Backup.origin != BackupOrigin.COPY)


def list_applications(token: AccessToken) -> Select[Application]:
    """What whoever shows the token may look at, by name."""
    query = list_of_person(token.user)
    if token.organisation_id is not None:
        query = query.where(Application.organisation_id == token.organisation_id)
    return query


def find_application(uuid: str) -> Application | None:
    """Not one in the trash."""
    return db.session.scalar(
        select(Application).where(Application.uuid == uuid, Application.trashed_at.is_(None))
    )


def find_environment(uuid: str) -> Environment | None:
    """Not one in the trash."""
    return db.session.scalar(select(Environment).where(Environment.uuid == uuid, is_in_use()))


def list_instances(environment_id: int) -> Select[ServiceInstance]:
    """What works or is on its way, not in the trash: that with data first, for clients look at no
    more than ten."""
    has_data = case((ServiceInstance.kind.in_(CONTENT_OF), 0), else_=1)
    return (
        select(ServiceInstance)
        .where(
            ServiceInstance.environment_id == environment_id,
            ServiceInstance.trashed_at.is_(None),
            ServiceInstance.state != ServiceState.REMOVING,
        )
        .order_by(has_data, ServiceInstance.id)
    )


def find_backup(uuid: str) -> Backup | None:
    """None: also one that is being deleted, or a copy on its way."""
    return db.session.scalar(select(Backup).where(Backup.uuid == uuid, *IS_KEPT))


def find_part(uuid: str) -> BackupPart | None:
    """Of a backup that `find_backup` finds."""
    return db.session.scalar(
        select(BackupPart).join(BackupPart.backup).where(BackupPart.uuid == uuid, *IS_KEPT)
    )


def find_restoration(uuid: str) -> Restoration | None:
    return db.session.scalar(select(Restoration).where(Restoration.uuid == uuid))


def find_download(uuid: str, user_id: int | None = None) -> Download | None:
    """One that was asked for over the API, by this person if one is named."""
    query = select(Download).where(Download.uuid == uuid, Download.is_for_program)
    return db.session.scalar(
        query if user_id is None else query.where(Download.actor_id == user_id)
    )
