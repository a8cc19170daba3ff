"""What of a service is backed up, and where its data is reached. Known without asking a backend,
which pages cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import joinedload

from app.adapters.services import Content, ServiceKind
from app.backups.models import BackupPart
from app.environments.models import Environment
from app.extensions import db
from app.installation import installation
from app.services.models import ServiceInstance, ServiceState
from app.transactions import once_a_reading

CONTENT_OF: Mapping[ServiceKind, Content] = {
    ServiceKind.POSTGRESQL: Content.DATABASE,
    ServiceKind.MYSQL: Content.DATABASE,
    ServiceKind.OBJECT_STORAGE: Content.MEDIA,
}
"""As the backends say it, which a test compares. What is not here is a cache or on its way: there
is nothing in it that a site would miss."""
ENDINGS: Mapping[ServiceKind, str] = {
    ServiceKind.POSTGRESQL: "dump",
    ServiceKind.MYSQL: "sql",
    ServiceKind.OBJECT_STORAGE: "tar",
}


def is_backed_up() -> ColumnElement[bool]:
    """For queries over instances: it works, and has something to be backed up."""
    return and_(
        ServiceInstance.kind.in_(CONTENT_OF),
        ServiceInstance.provisioned_at.is_not(None),
        ServiceInstance.state != ServiceState.REMOVING,
        ServiceInstance.trashed_at.is_(None),
        ServiceInstance.original_id.is_(None),  # what is another's is backed up there
    )


@once_a_reading
def list_backed_up(environment_id: int) -> Sequence[ServiceInstance]:
    """The instances of an environment that have something to be backed up, and work."""
    return db.session.scalars(
        select(ServiceInstance)
        .where(ServiceInstance.environment_id == environment_id, is_backed_up())
        .options(joinedload(ServiceInstance.server))
        .order_by(ServiceInstance.kind, ServiceInstance.prefix)
    ).all()


def file_name(part: BackupPart) -> str:
    """What a downloaded part is called, e.g. `demo-live-default-2026-11-22.dump`."""
    environment = part.backup.environment
    day = (part.backup.started_at or part.backup.created_at).date().isoformat()
    start = f"{environment.application.slug}-{environment.slug}-{part.prefix.lower()}"
    return f"{start}-{day}.{ENDINGS[part.kind]}"


def backups_url(environment: Environment) -> str:
    """The page of an environment's backups, for letters."""
    slugs = f"{environment.application.slug}/environments/{environment.slug}"
    return f"{installation().settings.panel_url}/applications/{slugs}/backups/"


def download_url(token: str) -> str:
    """Where a prepared download is fetched, for the letter that tells of it."""
    return f"{installation().settings.panel_url}/downloads/{token}/"
