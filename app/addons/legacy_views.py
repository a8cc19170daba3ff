"""What `divio addon register` and `divio addon upload` ask for, and where pip fetches packages.

Errors have the shape that the command line prints: a list of sentences by field, or `detail`.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.accounts.shown_tokens import NoToken, demand_shown_token
from app.addons import queries
from app.addons.access import authorise_by_token
from app.addons.models import Addon, AddonVersion
from app.addons.operations import NewAddon, register_addon
from app.addons.packages.findings import Refused
from app.addons.registering import organisation_to_register_in
from app.addons.uploads import package_path, upload_version
from app.errors import Conflict, Invalid, NotFound, PanelError
from app.extensions import db
from app.installation import installation
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import public
from app.web.draining import drain
from app.web.throttles import throttle_uploads

blueprint = Blueprint("legacy", __name__)


@blueprint.url_value_preprocessor
def limit_archives(endpoint: str | None, values: object) -> None:
    """Before anything is read: what is larger never reaches the disk."""
    request.max_content_length = installation().settings.addon_bytes


@blueprint.get("/legacy/v3/addons/")
@public
def addons() -> ResponseReturnValue:
    """The addon of `?package_name=`, in a page of at most one result."""
    token = demand_shown_token(request.authorization)
    addon = queries.find_addon(request.args.get("package_name", ""))
    rights = queries.addon_rights_by_token(addon, token) if addon else frozenset()
    found = [_outline(addon)] if addon and Permission.ADDON_READ in rights else []
    return jsonify(count=len(found), next=None, previous=None, results=found)


@blueprint.post("/legacy/v3/addons/")
@public
def register() -> ResponseReturnValue:
    token = demand_shown_token(request.authorization)
    asked = request.get_json(silent=True)
    words = {
        name: _text(asked.get(name), name) if isinstance(asked, dict) else ""
        for name in ("package_name", "name", "organisation")
    }
    organisation = organisation_to_register_in(token, words["organisation"])
    with unit_of_work():
        wanted = NewAddon(words["package_name"], words["name"])
        addon = register_addon(wanted, organisation, token.user)
    return jsonify(_outline(addon)), 201


@blueprint.post("/legacy/v3/addons/<uuid>/upload/")
@throttle_uploads
@public
def upload(uuid: str) -> ResponseReturnValue:
    """Multipart, the archive in part `app`. Answers with a sentence, which is printed."""
    token = demand_shown_token(request.authorization)
    addon = db.session.scalar(select(Addon).where(Addon.uuid == uuid))
    authorise_by_token(addon, token, Permission.ADDON_UPLOAD)
    if addon is None or "app" not in request.files:
        raise Invalid("The request has no file in its part “app”.", "app")
    version = upload_version(addon, request.files["app"].stream, token.user)
    warnings = version.facts["warnings"]
    lines = [f"{addon.package_name} {version.version} is in the Alpha channel.", *warnings]
    return Response("\n".join(lines), 200, mimetype="text/plain")


@blueprint.get("/api/v1/apps/serve/<package_name>/<number>/<uuid>/<file_name>")
@public
def serve(package_name: str, number: str, uuid: str, file_name: str) -> ResponseReturnValue:
    """The source distribution of one version, for pip. Whoever has the address may have it; one
    that was yanked stays there for the sites that use it."""
    version = db.session.scalar(select(AddonVersion).where(AddonVersion.uuid == uuid))
    names = (package_name, number, file_name)
    path = package_path(version) if version and _names_of(version) == names else None
    if path is None or not path.is_file():
        raise NotFound("There is no such package.")
    return send_file(path, mimetype="application/gzip", as_attachment=True, download_name=file_name)


def _names_of(version: AddonVersion) -> tuple[str, str, str]:
    name, number = version.addon.package_name, version.version
    return name, number, f"{name}-{number}.tar.gz"


def _text(value: object, name: str) -> str:
    if value is not None and not isinstance(value, str):
        raise Invalid("This must be a text.", name)
    return (value or "").strip()


def _outline(addon: Addon) -> dict[str, str | None]:
    organisation = addon.organisation
    return {
        "uuid": addon.uuid,
        "package_name": addon.package_name,
        "name": addon.name,
        "organisation": organisation.uuid if organisation else None,
    }


@blueprint.errorhandler(PanelError)
def show_panel_error(error: PanelError) -> ResponseReturnValue:
    """Sentences where the command line looks for them."""
    drain()
    if isinstance(error, Refused):
        found = sorted(error.findings, key=lambda finding: finding.is_warning)
        body: dict[str, object] = {"non_field_errors": [str(finding) for finding in found]}
    elif isinstance(error, Invalid | Conflict):
        field = getattr(error, "field", None) or "non_field_errors"
        body = {"non_field_errors" if field == "app" else field: [error.sentence]}
    else:
        body = {"detail": error.sentence}
    answer = jsonify(body)
    answer.status_code = 400 if isinstance(error, Conflict) else error.status
    if isinstance(error, NoToken):
        answer.headers["WWW-Authenticate"] = "Token"
    return answer


@blueprint.errorhandler(HTTPException)
def show_http_error(error: HTTPException) -> ResponseReturnValue:
    """An archive that is too large is a fault of the request like others."""
    if isinstance(error, RequestEntityTooLarge):
        limit = installation().settings.addon_bytes // 1024**2
        return show_panel_error(Invalid(f"The archive is larger than {limit} MB."))
    drain()
    return jsonify(detail=error.description), error.code or 500
