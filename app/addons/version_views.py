"""An addon's versions for those who upload them: channel, yank, changes, failures."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons import marketplace, operations, pages
from app.addons.access import load_addon
from app.addons.author_forms import ChangesForm, YankForm
from app.addons.failures import count_failures, list_failures
from app.addons.models import Addon, AddonVersion, Channel
from app.addons.queries import TRUST, find_version
from app.addons.versions import newest_first
from app.errors import Invalid, NotFound
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("addon_versions", __name__, url_prefix="/addons/<package_name>")


@blueprint.get("/")
@requires(Permission.ADDON_UPLOAD)
def versions(package_name: str) -> ResponseReturnValue:
    addon = load_addon(package_name)
    return pages.show(
        "addons/versions.html",
        addon,
        versions=newest_first(addon.versions),
        sites=marketplace.count_sites_by_version(addon.id),
        failures=count_failures(addon.id),
    )


@blueprint.get("/versions/<number>/")
@requires(Permission.ADDON_UPLOAD)
def version(package_name: str, number: str) -> ResponseReturnValue:
    row = _load(package_name, number)
    return _show(row, ChangesForm(changes=row.changes), YankForm())


@blueprint.post("/versions/<number>/channel/")
@requires(Permission.ADDON_UPLOAD)
def move(package_name: str, number: str) -> ResponseReturnValue:
    row = _load(package_name, number)
    wanted = request.form.get("channel", "")
    if wanted not in list(Channel):
        raise Invalid(_("Choose a channel from the list."))
    with unit_of_work():
        operations.move_version(row, Channel(wanted), signed_in())
    flash(_("Moved. Sites that follow this channel are told."), "success")
    return _back(row)


@blueprint.post("/versions/<number>/changes/")
@requires(Permission.ADDON_UPLOAD)
def change(package_name: str, number: str) -> ResponseReturnValue:
    row = _load(package_name, number)
    form = ChangesForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.set_changes(row, form.changes.data or "", signed_in())
            flash(_("Saved."), "success")
            return _back(row)
        except Invalid as error:
            form.refuse(error)
    return _show(row, form, YankForm(formdata=None))


@blueprint.post("/versions/<number>/yank/")
@requires(Permission.ADDON_UPLOAD)
def yank(package_name: str, number: str) -> ResponseReturnValue:
    row = _load(package_name, number)
    form = YankForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.yank_version(row, form.reason.data, signed_in())
            flash(_("Yanked. Sites that have it keep it; no other can install it."), "success")
            return _back(row)
        except Invalid as error:
            form.refuse(error)
    return _show(row, ChangesForm(formdata=None, changes=row.changes), form)


@blueprint.post("/versions/<number>/unyank/")
@requires(Permission.ADDON_UPLOAD)
def unyank(package_name: str, number: str) -> ResponseReturnValue:
    row = _load(package_name, number)
    with unit_of_work():
        operations.unyank_version(row, signed_in())
    flash(_("It can be installed again."), "success")
    return _back(row)


def _load(package_name: str, number: str) -> AddonVersion:
    row = find_version(load_addon(package_name).id, number)
    if row is None:
        raise NotFound(_("There is no such version of it."))
    return row


def _back(row: AddonVersion) -> ResponseReturnValue:
    name = row.addon.package_name
    there = url_for("addon_versions.version", package_name=name, number=row.version)
    return redirect(there, 303)


def _show(row: AddonVersion, changes: ChangesForm, yanking: YankForm) -> str:
    addon: Addon = row.addon
    return pages.show(
        "addons/version.html",
        addon,
        version=row,
        channels=TRUST,
        changes=changes,
        yanking=yanking,
        sites=marketplace.count_sites_by_version(addon.id).get(row.id, 0),
        failures=list_failures(row.id),
    )
