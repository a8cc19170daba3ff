"""The form of one addon: fill in, see what it would do, save."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons.installing import diff_of
from app.addons.models import AddonChange, InstalledAddon
from app.permissions import Permission
from app.publishing import filling
from app.publishing.filling import Draft
from app.publishing.queries import load_card
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


@application_pages.get("/addons/<package_name>/")
@site_pages.get("/forms/<package_name>/")
@requires(Permission.CONTENT_UPDATE)
def form(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    return _show(desk, installed, filling.open_form(installed, repositories()))


@application_pages.post("/addons/<package_name>/")
@site_pages.post("/forms/<package_name>/")
@requires(Permission.CONTENT_UPDATE)
def fill(slug: str, package_name: str) -> ResponseReturnValue:
    """See what it would do, or save what was seen."""
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    draft = filling.open_form(installed, repositories())
    confirmed = request.form.get("plan", "")
    if request.form.get("act") != "save" or not confirmed:
        return _show(desk, installed, filling.preview(installed, draft, repositories()))
    saved = filling.save(installed, draft, confirmed, signed_in(), repositories())
    if isinstance(saved, AddonChange):
        flash(_("Your change is saved. It goes live when you publish."), "success")
        return redirect(url_for(".form", slug=slug, package_name=package_name), 303)
    return _show(desk, load_installed(desk, package_name), saved), 409 if saved.told else 200


def _show(desk: Desk, installed: InstalledAddon, draft: Draft) -> str:
    card = load_card(installed)
    newest = card.newest_change
    return desk.show(
        "publishing/form.html",
        installed=installed,
        card=card,
        draft=draft,
        newest_words=sentences_of(newest, installed.version.fields)
        if newest and draft.is_overtaken
        else [],
        sentences=sentences_for(draft.plan, desk.is_technical) if draft.plan else [],
        diff=diff_of(draft.plan) if draft.plan and desk.may_see_code else "",
    )
