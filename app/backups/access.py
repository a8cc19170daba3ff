"""Loading backups for the person who asks, or refusing them."""

from __future__ import annotations

from app.accounts.access import signed_in
from app.applications.access import load_application
from app.applications.queries import rights_on
from app.backups import queries
from app.backups.models import Backup, BackupPart, Download
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import find_environment
from app.permissions import Permission
from app.web.access import hide

LIVE = "live"


def load_backup(application_slug: str, environment_slug: str, uuid: str) -> Backup:
    """The backup, if the person has the right the endpoint names on its application."""
    environment = load_environment(application_slug, environment_slug)
    backup = queries.find_backup(environment.id, uuid)
    if backup is None:
        raise hide("backup")
    return backup


def load_part(application_slug: str, environment_slug: str, uuid: str) -> BackupPart:
    """One part of a backup, likewise."""
    environment = load_environment(application_slug, environment_slug)
    part = queries.find_part(environment.id, uuid)
    if part is None:
        raise hide("backup")
    return part


def load_site_environment(slug: str) -> Environment:
    """What site editors mean by a site: its live environment."""
    application = load_application(slug)
    environment = find_environment(application.id, LIVE)
    if environment is None:
        raise hide("site")
    return environment


def load_download(token: str) -> Download:
    """The prepared download of this link. The link alone opens nothing: it is for the person who
    asked, while they are signed in and still may download."""
    row = queries.find_download(token)
    if row is None or row.actor_id != signed_in().id:
        raise hide("download")
    application = row.part.backup.environment.application
    if application.trashed_at or row.part.backup.environment.trashed_at:
        raise hide("download")
    if Permission.BACKUPS_DOWNLOAD not in rights_on(application, signed_in()):
        raise hide("download")
    return row
