"""Which version of an addon a site has: its channel, the upgrade, and removing it."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons.installing import Plan, carry_out, diff_of, plan_remove, plan_upgrade
from app.addons.models import AddonVersion, InstalledAddon
from app.addons.queries import find_version, rights_on_addon
from app.addons.rights import words_of
from app.errors import Conflict, Invalid, NotFound, PanelError
from app.permissions import Permission
from app.publishing.forms import ChannelForm, ConsentForm, RemovalForm
from app.publishing.operations import follow_channel
from app.publishing.queries import find_updates
from app.publishing.views.blueprints import (
    Desk,
    application_pages,
    load_installed,
    load_offered,
    open_desk,
    repositories,
    tell,
)
from app.transactions import unit_of_work
from app.web.access import requires


@application_pages.get("/addons/<package_name>/version/")
@requires(Permission.ADDONS_UPDATE)
def version(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    return _show_version(desk, installed, ConsentForm())


@application_pages.post("/addons/<package_name>/channel/")
@requires(Permission.ADDONS_UPDATE)
def choose_channel(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    with unit_of_work():
        installed = load_installed(desk, package_name)
        follow_channel(installed, request.form.get("channel", ""), signed_in())
    flash(_("Saved. The site is told of updates accordingly."), "success")
    return redirect(url_for(".version", slug=slug, package_name=package_name), 303)


@application_pages.post("/addons/<package_name>/version/")
@requires(Permission.ADDONS_UPDATE)
def upgrade(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    installed = load_installed(desk, package_name)
    wanted, consent, store = _wanted(installed), ConsentForm(), repositories()
    try:
        plan = plan_upgrade(installed, wanted, store)
        if plan.rights is not None:
            consent.require()
        seen = consent.seen.data or ""
        carry_out(lambda: plan_upgrade(installed, wanted, store), seen, signed_in(), store)
    except (Conflict, Invalid) as error:
        consent.refuse(Invalid(error.sentence, getattr(error, "field", None)))
        return _show_version(desk, load_installed(desk, package_name), consent), error.status
    number = wanted.version
    tell(
        _("Version %(number)s is saved. It goes live when you publish.", number=number), plan.notes
    )
    return redirect(url_for(".form", slug=slug, package_name=package_name), 303)


def _wanted(installed: InstalledAddon) -> AddonVersion:
    """The version asked for, by somebody who may install the addon."""
    load_offered(installed.addon.package_name)
    """Who may not install an addon may not upgrade it either (checklist Part 3)."""
    load_offered(installed.addon.package_name)
    found = find_version(installed.addon_id, request.form.get("version", ""))
    if found is None:
        raise NotFound(_("There is no such version."))
    return found


def _show_version(desk: Desk, installed: InstalledAddon, consent: ConsentForm) -> str:
    may_install = Permission.ADDON_INSTALL in rights_on_addon(installed.addon, signed_in())
    update = find_updates([installed]).get(installed.id) if may_install else None
    plan, told = None, ""
    if update is not None:
        try:
            load_offered(installed.addon.package_name)
            plan = plan_upgrade(installed, update, repositories())
        except PanelError as error:
            told = error.sentence
    return desk.show(
        "publishing/version.html",
        installed=installed,
        channel_form=ChannelForm(channel=installed.channel.value),
        consent=consent,
        update=update,
        plan=plan,
        told=told,
        asks=words_of(plan.rights) if plan and plan.rights else [],
        diff=diff_of(plan) if plan and desk.may_see_code else "",
    )


@application_pages.get("/addons/<package_name>/remove/")
@requires(Permission.ADDONS_UPDATE)
def confirm_removal(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    return _show_removal(desk, load_installed(desk, package_name), RemovalForm())


@application_pages.post("/addons/<package_name>/remove/")
@requires(Permission.ADDONS_UPDATE)
def remove(slug: str, package_name: str) -> ResponseReturnValue:
    desk, form = open_desk(slug), RemovalForm()
    installed, store = load_installed(desk, package_name), repositories()
    name = installed.addon.name
    try:
        form.require(name)
        seen, plan = form.seen.data or "", plan_remove(installed, store)
        carry_out(lambda: plan_remove(installed, store), seen, signed_in(), store)
    except (Conflict, Invalid) as error:
        form.refuse(Invalid(error.sentence, getattr(error, "field", None)))
        return _show_removal(desk, load_installed(desk, package_name), form), error.status
    tell(_("%(name)s is taken out. It leaves the site when you publish.", name=name), plan.notes)
    return redirect(url_for(".addons", slug=slug), 303)


def _show_removal(desk: Desk, installed: InstalledAddon, form: RemovalForm) -> str:
    plan: Plan | None = None
    told = ""
    try:
        plan = plan_remove(installed, repositories())
    except PanelError as error:
        told = error.sentence
    return desk.show(
        "publishing/remove.html",
        installed=installed,
        form=form,
        plan=plan,
        told=told,
        diff=diff_of(plan) if plan and desk.may_see_code else "",
    )
