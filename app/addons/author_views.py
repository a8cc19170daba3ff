"""The pages of those who make addons: what they have, and what they do with one of them."""

from __future__ import annotations

from io import BytesIO

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons import marketplace, operations, pages
from app.addons.access import load_addon
from app.addons.author_forms import (
    AddonCollaboratorForm,
    AddonSettingsForm,
    UploadForm,
)
from app.addons.models import Addon, AddonVersion, PackageKind
from app.addons.packages.findings import Finding, Refused
from app.addons.packages.packaging import packaging_archive, packaging_files
from app.addons.uploads import upload_version
from app.errors import Invalid, NotFound
from app.extensions import db
from app.installation import installation
from app.organisations.access import load_organisation
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.paging import paged
from app.web.throttles import throttle_uploads

blueprint = Blueprint("addons", __name__, url_prefix="/addons")

FORM_BYTES = 64 * 1024
"""What a form with an archive has besides it."""


@blueprint.url_value_preprocessor
def limit_archives(endpoint: str | None, values: object) -> None:
    """Before anything reads the form: what is larger is refused at once, not put on the disk."""
    if endpoint == "addons.take":
        request.max_content_length = installation().settings.addon_bytes + FORM_BYTES


@blueprint.get("/")
@requires(Permission.ACCOUNT_OWN)
def mine() -> ResponseReturnValue:
    page = paged(marketplace.own_addons(signed_in()))
    return render_template(
        "addons/mine.html",
        page=page,
        offers=marketplace.load_offers(page.rows),
        updatable=marketplace.list_updatable_ids(signed_in(), page.rows),
    )


@blueprint.get("/new/")
@requires(Permission.ACCOUNT_OWN)
def new() -> ResponseReturnValue:
    return render_template("addons/new.html", form=pages.registration_form(signed_in()))


@blueprint.post("/new/")
@requires(Permission.ADDON_CREATE)
def register() -> ResponseReturnValue:
    organisation = load_organisation(request.form.get("organisation", ""))
    form = pages.registration_form(signed_in())
    if form.validate_on_submit():
        try:
            with unit_of_work():
                addon = operations.register_addon(form.wanted(), organisation, signed_in())
            flash(_("The name is yours. Now the packaging files."), "success")
            there = url_for("addons.package", package_name=addon.package_name)
            return redirect(there, 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("addons/new.html", form=form)


# The package -----------------------------------------------------------------------------------


@blueprint.get("/<package_name>/package/")
@requires(Permission.ADDON_UPLOAD)
def package(package_name: str) -> ResponseReturnValue:
    addon, kind = load_addon(package_name), _kind()
    files = packaging_files(addon, kind)
    return pages.show("addons/package.html", addon, files=files, kind=kind)


@blueprint.get("/<package_name>/package/files/")
@requires(Permission.ADDON_UPLOAD)
def download(package_name: str) -> ResponseReturnValue:
    addon = load_addon(package_name)
    return send_file(
        BytesIO(packaging_archive(addon, _kind())),
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"{addon.package_name}.zip",
    )


def _kind() -> PackageKind:
    """On which contract the package is to be written; the older one unless it is said."""
    is_plugin = request.args.get("kind") == PackageKind.PLUGIN
    return PackageKind.PLUGIN if is_plugin else PackageKind.ALDRYN


@blueprint.get("/<package_name>/upload/")
@requires(Permission.ADDON_UPLOAD)
def upload(package_name: str) -> ResponseReturnValue:
    return pages.show("addons/upload.html", load_addon(package_name), form=UploadForm())


@blueprint.post("/<package_name>/upload/")
@throttle_uploads
@requires(Permission.ADDON_UPLOAD)
def take(package_name: str) -> ResponseReturnValue:
    addon = load_addon(package_name)
    form = UploadForm()
    findings: tuple[Finding, ...] = ()
    if form.validate_on_submit():
        try:
            return _taken(upload_version(addon, form.app.data.stream, signed_in()))
        except Refused as refused:
            findings = refused.findings
        except Invalid as error:
            form.refuse(error)
    return pages.show("addons/upload.html", addon, form=form, findings=findings)


def _taken(version: AddonVersion) -> ResponseReturnValue:
    flash(_("Version %(version)s is in the Alpha channel.", version=version.version), "success")
    return redirect(
        url_for(
            "addon_versions.version",
            package_name=version.addon.package_name,
            number=version.version,
        ),
        303,
    )


# Settings, people, usage -----------------------------------------------------------------------


@blueprint.route("/<package_name>/settings/", methods=["GET", "POST"])
@requires(Permission.ADDON_UPDATE)
def settings(package_name: str) -> ResponseReturnValue:
    addon = load_addon(package_name)
    form = AddonSettingsForm(addon)
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.update_addon(addon, form.wanted(), signed_in())
            flash(_("Saved."), "success")
            return redirect(url_for("addons.settings", package_name=package_name), 303)
        except Invalid as error:
            form.refuse(error)
    return pages.show("addons/settings.html", addon, form=form)


@blueprint.get("/<package_name>/collaborators/")
@requires(Permission.ADDON_COLLABORATORS_UPDATE)
def collaborators(package_name: str) -> ResponseReturnValue:
    return pages.show_collaborators(load_addon(package_name), AddonCollaboratorForm())


@blueprint.post("/<package_name>/collaborators/")
@requires(Permission.ADDON_COLLABORATORS_UPDATE)
def set_collaborator(package_name: str) -> ResponseReturnValue:
    """Give access, or change what somebody may do."""
    addon = load_addon(package_name)
    form = AddonCollaboratorForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                who, can_update = form.email.data, form.can_update.data
                operations.set_addon_collaborator(addon, who, can_update, signed_in())
            flash(_("Access is given."), "success")
            return redirect(_after_collaborators(package_name), 303)
        except Invalid as error:
            form.refuse(error)
    return pages.show_collaborators(addon, form)


@blueprint.post("/<package_name>/collaborators/<int:collaborator_id>/remove/")
@requires(Permission.ADDON_COLLABORATORS_UPDATE)
def remove_collaborator(package_name: str, collaborator_id: int) -> ResponseReturnValue:
    addon = load_addon(package_name)
    with unit_of_work():
        row = next((row for row in addon.collaborators if row.id == collaborator_id), None)
        if row is None:
            raise NotFound(_("They have no access any more; it was taken away meanwhile."))
        operations.remove_addon_collaborator(addon, row, signed_in())
    flash(_("Access is taken away."), "success")
    return redirect(_after_collaborators(package_name), 303)


def _after_collaborators(package_name: str) -> str:
    """One's own access may have been what was taken away."""
    query = marketplace.own_addons(signed_in()).where(Addon.package_name == package_name)
    row = db.session.scalar(query)
    if row is None or row.id not in marketplace.list_updatable_ids(signed_in(), [row]):
        return url_for("addons.mine")
    return url_for("addons.collaborators", package_name=package_name)


@blueprint.get("/<package_name>/usage/")
@requires(Permission.ADDON_UPLOAD)
def usage(package_name: str) -> ResponseReturnValue:
    addon = load_addon(package_name)
    rows = marketplace.load_usage(addon, signed_in())
    return pages.show("addons/usage.html", addon, usage=rows)
