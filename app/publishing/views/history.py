"""What was done to one addon of a site, and undoing one save."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons.installing import carry_out, diff_of, plan_undo
from app.addons.models import AddonChange, ChangeKind, InstalledAddon
from app.errors import Conflict, Invalid, NotFound
from app.permissions import Permission
from app.publishing.queries import find_change, list_changes
from app.publishing.views.blueprints import (
    Desk,
    application_pages,
    load_installed,
    open_desk,
    repositories,
    site_pages,
)
from app.publishing.words import sentences_for, sentences_of
from app.web.access import requires
from app.web.paging import paged

UNDOABLE = frozenset({ChangeKind.SAVE, ChangeKind.UNDO})


@application_pages.get("/addons/<package_name>/history/")
@site_pages.get("/forms/<package_name>/history/")
@requires(Permission.CONTENT_UPDATE)
def history(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    page = paged(list_changes(installed.id))
    fields = installed.version.fields
    return desk.show(
        "publishing/history.html",
        installed=installed,
        page=page,
        lines=[(row, sentences_of(row, fields)) for row in page.rows],
        undoable=UNDOABLE,
    )


@application_pages.get("/addons/<package_name>/history/<change_uuid>/undo/")
@site_pages.get("/forms/<package_name>/history/<change_uuid>/undo/")
@requires(Permission.CONTENT_UPDATE)
def preview_undo(slug: str, package_name: str, change_uuid: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    return _show(desk, installed, _load_change(installed, change_uuid))


@application_pages.post("/addons/<package_name>/history/<change_uuid>/undo/")
@site_pages.post("/forms/<package_name>/history/<change_uuid>/undo/")
@requires(Permission.CONTENT_UPDATE)
def undo(slug: str, package_name: str, change_uuid: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    change, store = _load_change(installed, change_uuid), repositories()
    try:
        confirmed = request.form.get("plan", "")
        carry_out(lambda: plan_undo(change, store), confirmed, signed_in(), store)
    except (Conflict, Invalid) as error:
        return _show(desk, installed, change, error.sentence), error.status
    flash(_("It is as it was before. It goes live when you publish."), "success")
    return redirect(url_for(".history", slug=slug, package_name=package_name), 303)


def _load_change(installed: InstalledAddon, uuid: str) -> AddonChange:
    change = find_change(installed.id, uuid)
    if change is None:
        raise NotFound(_("There is no such change."))
    return change


def _show(desk: Desk, installed: InstalledAddon, change: AddonChange, told: str = "") -> str:
    try:
        plan = plan_undo(change, repositories())
    except (Conflict, Invalid) as error:
        plan, told = None, error.sentence
    return desk.show(
        "publishing/undo.html",
        installed=installed,
        change=change,
        plan=plan,
        sentences=sentences_for(plan, desk.is_technical) if plan else [],
        told=told,
        diff=diff_of(plan) if plan and desk.may_see_code else "",
    )
