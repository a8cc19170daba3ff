"""Loading things by their uuid for whoever shows a token, or refusing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import request

from app.accounts.models import AccessToken
from app.accounts.shown_tokens import demand_shown_token
from app.applications.models import Application
from app.applications.queries import rights_behind_the_door
from app.backups.models import Backup, BackupPart, Download, Restoration
from app.client_api import queries
from app.environments.models import Environment
from app.errors import Invalid, NotAllowed
from app.organisations.second_factor import demand_second_factor
from app.permissions import Permission
from app.web.access import hide

Found = TypeVar("Found")


def shown_token() -> AccessToken:
    """The token of this request. Raises `NoToken`."""
    return demand_shown_token(request.authorization)


def authorise(
    application: Application | None, token: AccessToken, permission: Permission, kind: str
) -> Application:
    """The application, if whoever shows `token` has the right on it, as the pages ask for it.

    Raises `NotFound` naming `kind` for strangers and tokens of another organisation, `NotAllowed`
    for those without the right, saying when it is the token that lacks it, and
    `SecondFactorNeeded`.
    """
    rights = rights_behind_the_door(application, token.user) if application else frozenset()
    granted = token.limit(rights, application.organisation_id) if application else frozenset()
    if application is None or not granted:
        raise hide(kind)
    demand_second_factor(application.organisation, token.user)
    if permission not in rights:
        raise NotAllowed("This is more than you may do here. Ask an owner for more access.")
    if permission not in granted:
        raise NotAllowed(
            f"You may do this, but the token “{token.name}” may not. Make one that reaches further."
        )
    return application


def load_application(uuid: str, token: AccessToken, permission: Permission) -> Application:
    return authorise(queries.find_application(uuid), token, permission, "application")


def load_environment(uuid: str, token: AccessToken, permission: Permission) -> Environment:
    found = queries.find_environment(uuid)
    return _load(found, lambda row: row, token, permission, "environment")


def load_backup(uuid: str, token: AccessToken, permission: Permission) -> Backup:
    found = queries.find_backup(uuid)
    return _load(found, lambda row: row.environment, token, permission, "backup")


def load_part(uuid: str, token: AccessToken, permission: Permission) -> BackupPart:
    found = queries.find_part(uuid)
    kind = "backup of a service"
    return _load(found, lambda row: row.backup.environment, token, permission, kind)


def load_part_of(
    backup_uuid: str, uuid: str, token: AccessToken, permission: Permission
) -> BackupPart:
    """`load_part`; raises `Invalid` when it is one of another backup."""
    found = load_part(uuid, token, permission)
    if found.backup.uuid != backup_uuid:
        raise Invalid("This is a part of another backup.", "backup")
    return found


def load_restoration(uuid: str, token: AccessToken, permission: Permission) -> Restoration:
    found = queries.find_restoration(uuid)
    return _load(found, lambda row: row.instance.environment, token, permission, "restore")


def load_download(uuid: str, token: AccessToken) -> Download:
    """Of those that the token's person asked for."""
    found = queries.find_download(uuid, token.user_id)
    right = Permission.BACKUPS_DOWNLOAD
    return _load(found, lambda row: row.part.backup.environment, token, right, "download")


def _load(
    found: Found | None,
    place: Callable[[Found], Environment],
    token: AccessToken,
    permission: Permission,
    kind: str,
) -> Found:
    """What belongs to the environment `place(found)`, unless that is in the trash, with or without
    its application."""
    if found is None or place(found).is_trashed:
        raise hide(kind)
    authorise(place(found).application, token, permission, kind)
    return found
