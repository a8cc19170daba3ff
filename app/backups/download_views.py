"""Prepared downloads: the page behind the mailed link, and the file."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, send_file
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.backups.access import load_download
from app.backups.content import file_name
from app.backups.downloading import path_of
from app.backups.page import part_name
from app.errors import NotFound
from app.permissions import Permission
from app.transactions import end_reading
from app.web.access import requires

blueprint = Blueprint("downloads", __name__, url_prefix="/downloads/<token>")


@blueprint.get("/")
@requires(Permission.ACCOUNT_OWN)
def download(token: str) -> ResponseReturnValue:
    row = load_download(token)
    return render_template(
        "backups/download.html",
        download=row,
        token=token,
        file_name=file_name(row.part),
        part_name=part_name(row.part),
    )


@blueprint.get("/file/")
@requires(Permission.ACCOUNT_OWN)
def file(token: str) -> ResponseReturnValue:
    """Browsers may go on with a part of it, where a line has broken."""
    row = load_download(token)
    path, name, etag = path_of(row.uuid), file_name(row.part), row.part.plain_sha256
    end_reading()  # it may take an hour
    if not path.is_file():
        raise NotFound(_("The file is gone. Have it prepared again."))
    answer = make_response(
        send_file(path, "application/octet-stream", True, name, conditional=True, etag=etag)
    )
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
