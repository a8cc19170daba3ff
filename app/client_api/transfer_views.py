"""Files on their way: brought to be a backup, and taken home from one.

What is sent and fetched shows no token: the address is the key. It cannot be guessed, works for a
few hours, and stops working with its person's right.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import current_app, jsonify, make_response, request, send_file
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from app.accounts.models import User
from app.applications.queries import rights_on
from app.backups import downloading, uploading
from app.backups.models import Backup, Download, Upload, WorkStatus
from app.client_api import queries, shapes
from app.client_api.access import load_download, load_environment, load_part_of, shown_token
from app.client_api.answers import Body, address, make_blueprint
from app.extensions import now
from app.installation import installation
from app.permissions import Permission
from app.transactions import end_reading, unit_of_work
from app.web.access import hide, public

blueprint = make_blueprint("client_transfers")
HANDLER = "exo-presigned-v1"
"""The client's word for one PUT to an address."""


@blueprint.post("/apps/v3/backups/upload/")
@public
def begin() -> ResponseReturnValue:
    """For each of `services` an address to send a file to, and one to say that it is there."""
    token, body = shown_token(), Body()
    environment = load_environment(body.text("environment"), token, Permission.BACKUPS_RESTORE)
    expires_at = body.moment("scheduled_for_deletion_at")
    with unit_of_work():
        backup, keys = uploading.begin_upload(
            environment, body.texts("services"), token.user, body.text("notes"), expires_at
        )
    results = {uuid: _way_in(key) for uuid, key in keys.items()}
    return jsonify(uuid=backup.uuid, results=results), 201


def _way_in(key: str) -> dict[str, object]:
    most = installation().settings.push_bytes
    url = address("client_transfers.send", key=key)
    return {
        "handler": HANDLER,
        "upload_parameters": {"url": url, "max_file_size": most},
        "finish_url": address("client_transfers.finish", key=key),
    }


@blueprint.put("/apps/v3/backup-uploads/<key>/")
@public
def send(key: str) -> ResponseReturnValue:
    upload = _load_upload(key)
    uploading.receive(upload, cast(BinaryIO, request.stream), request.content_length or 0)
    return "", 204


@blueprint.post("/apps/v3/backup-uploads/<key>/finish/")
@public
def finish(key: str) -> ResponseReturnValue:
    upload = _load_upload(key)
    with unit_of_work():
        uploading.finish(upload)
    return "", 204


def _load_upload(key: str) -> Upload:
    upload = uploading.find_upload(key)
    if upload is None:
        raise hide("upload")
    backup = upload.part.backup
    _require_right(backup, backup.actor, Permission.BACKUPS_RESTORE, "upload")
    return upload


def _require_right(backup: Backup, person: User | None, right: Permission, kind: str) -> None:
    """That the person who asked still has it, and nothing lies in the trash."""
    environment = backup.environment
    if person is None or environment.is_trashed:
        raise hide(kind)
    if right not in rights_on(environment.application, person):
        raise hide(kind)


@blueprint.post("/apps/v3/backup-downloads/")
@public
def prepare() -> ResponseReturnValue:
    """One part of a backup."""
    token, body = shown_token(), Body()
    uuid = str(body.single("service_instance_backups"))
    part = load_part_of(body.text("backup"), uuid, token, Permission.BACKUPS_DOWNLOAD)
    with unit_of_work():
        row = downloading.prepare_download(part, token.user, is_for_program=True)
    return jsonify(uuid=row.uuid, backup=part.backup.uuid), 201


@blueprint.get("/apps/v3/backup-download-service-instances/")
@public
def downloads() -> ResponseReturnValue:
    """Of `?backup=`, by which clients name the download: it is of one part."""
    row = load_download(request.args.get("backup", ""), shown_token())
    return jsonify(count=1, next=None, previous=None, results=[_shown(row)])


@blueprint.get("/apps/v3/backup-download-service-instances/<uuid>")
@blueprint.get("/apps/v3/backup-download-service-instances/<uuid>/")
@public
def download(uuid: str) -> ResponseReturnValue:
    return jsonify(_shown(load_download(uuid, shown_token())))


def _shown(row: Download) -> shapes.Shape:
    is_ready = row.status == WorkStatus.SUCCEEDED
    url = address("client_transfers.fetch", key=_signer().dumps(row.uuid)) if is_ready else None
    return shapes.show_download(row, url)


@blueprint.get("/apps/v3/backup-files/<key>")
@public
def fetch(key: str) -> ResponseReturnValue:
    """As plain bytes: clients write down what comes, whatever the headers say."""
    row = _load_ready(key)
    path = downloading.path_of(row.uuid)
    end_reading()  # it may take an hour
    if not path.is_file():
        raise hide("download")
    answer = make_response(send_file(path, "application/octet-stream", conditional=True))
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _load_ready(key: str) -> Download:
    try:
        row = queries.find_download(str(_signer().loads(key)))
    except BadSignature:
        row = None
    if row is None or row.status != WorkStatus.SUCCEEDED:
        raise hide("download")
    if row.expires_at is None or row.expires_at <= now():
        raise hide("download")
    _require_right(row.part.backup, row.actor, Permission.BACKUPS_DOWNLOAD, "download")
    return row


def _signer() -> URLSafeSerializer:
    """Nobody who reads the database can make an address of it."""
    return URLSafeSerializer(current_app.secret_key or "", salt="downloads for programs")
