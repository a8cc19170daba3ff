"""Taking backups, seeing how far they are, and restoring them."""

from __future__ import annotations

from flask import jsonify
from flask.typing import ResponseReturnValue

from app.backups.content import list_backed_up
from app.backups.models import BackupPart
from app.backups.operations import NewBackup, request_backup
from app.backups.restoring import request_restoration
from app.backups.uploading import NO_SERVICE
from app.client_api import shapes
from app.client_api.access import (
    load_backup,
    load_environment,
    load_part,
    load_part_of,
    load_restoration,
    shown_token,
)
from app.client_api.answers import Body, make_blueprint
from app.environments.models import Environment
from app.errors import Invalid
from app.permissions import Permission
from app.services.models import ServiceInstance
from app.transactions import unit_of_work
from app.web.access import public

blueprint = make_blueprint("client_backups")
GONE = "The service that this backup was taken of is gone. Restore it on the panel's pages."


@blueprint.post("/apps/v3/backups/")
@public
def take() -> ResponseReturnValue:
    """Of `services`, or of all that an environment has."""
    token, body = shown_token(), Body()
    environment = load_environment(body.text("environment"), token, Permission.BACKUPS_CREATE)
    services = body.texts("services")
    _require_services(environment, services)
    expires_at = body.moment("scheduled_for_deletion_at")
    wanted = NewBackup(note=body.text("notes"), uuids=services, expires_at=expires_at)
    with unit_of_work():
        backup = request_backup(environment, wanted, token.user)
    return jsonify(shapes.show_backup(backup)), 201


def _require_services(environment: Environment, uuids: list[str]) -> None:
    present = {row.uuid for row in list_backed_up(environment.id)}
    if not set(uuids) <= present:
        raise Invalid(NO_SERVICE, "services")


@blueprint.get("/apps/v3/backups/<uuid>/")
@public
def backup(uuid: str) -> ResponseReturnValue:
    found = load_backup(uuid, shown_token(), Permission.BACKUPS_READ)
    return jsonify(shapes.show_backup(found))


@blueprint.get("/apps/v3/service-instance-backups/<uuid>/")
@public
def service_instance_backup(uuid: str) -> ResponseReturnValue:
    found = load_part(uuid, shown_token(), Permission.BACKUPS_READ)
    return jsonify(shapes.show_part(found))


@blueprint.post("/apps/v3/backup-restores/")
@public
def restore() -> ResponseReturnValue:
    """One part of a backup, into the service that it was taken of or brought for."""
    token, body = shown_token(), Body()
    wanted = body.single("service_instance_restores")
    uuid = wanted.get("service_instance_backup") if isinstance(wanted, dict) else None
    part = load_part_of(body.text("backup"), str(uuid), token, Permission.BACKUPS_RESTORE)
    with unit_of_work():
        row = request_restoration(part, _target(part), token.user)
    return jsonify(shapes.show_restoration(row)), 201


def _target(part: BackupPart) -> ServiceInstance:
    if part.instance is None:
        raise Invalid(GONE, "backup")
    return part.instance


@blueprint.get("/apps/v3/backup-restores/<uuid>/")
@public
def backup_restore(uuid: str) -> ResponseReturnValue:
    found = load_restoration(uuid, shown_token(), Permission.BACKUPS_READ)
    return jsonify(shapes.show_restoration(found))
