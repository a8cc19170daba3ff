"""Installing an addon: what it asks for, its form, and agreeing to both."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons.forms import SettingsForm
from app.addons.installing import Plan, carry_out, current_settings, plan_install
from app.addons.models import Addon, AddonVersion, Channel
from app.addons.queries import TRUST, find_addon, find_installed, rights_on_addon
from app.addons.rights import read_rights, words_of
from app.addons.versions import most_trusted, newest_in
from app.errors import Conflict, Invalid, PanelError
from app.permissions import Permission
from app.publishing import filling
from app.publishing.forms import ConsentForm
from app.publishing.operations import follow_channel
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


@dataclass(frozen=True)
class Offer:
    """What is about to be installed. `version` is None when there is none to be had."""

    addon: Addon
    version: AddonVersion | None
    channel: Channel


@application_pages.get("/addons/install/<package_name>/")
@requires(Permission.ADDONS_UPDATE)
def offer(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    found = _find(load_offered(package_name), request.args.get("channel", ""))
    return _show(desk, found, _form(desk, found), ConsentForm())


@application_pages.post("/addons/install/<package_name>/")
@requires(Permission.ADDONS_UPDATE)
def install(slug: str, package_name: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    found = _find(load_offered(package_name), request.form.get("channel", ""))
    form, consent = _form(desk, found), ConsentForm()
    try:
        if not _install(desk, found, form, consent):
            return _show(desk, found, form, consent)
    except (Conflict, Invalid) as error:
        consent.refuse(Invalid(error.sentence, getattr(error, "field", None)))
        return _show(desk, found, form, consent), error.status
    return redirect(url_for(".form", slug=slug, package_name=package_name), 303)


def _find(addon: Addon, channel: str) -> Offer:
    """The newest version of the channel, or of the most trusted one that has any."""
    if channel in set(Channel):
        return Offer(addon, newest_in(addon.versions, Channel(channel)), Channel(channel))
    version = most_trusted(addon.versions)
    return Offer(addon, version, version.channel if version else Channel.STABLE)


def _form(desk: Desk, found: Offer) -> SettingsForm | None:
    """Filled with what an earlier installation has left in the repository."""
    if found.version is None:
        return None
    store = repositories()
    values = current_settings(desk.application, found.addon.package_name, store).values
    return filling.make_form(desk.application, found.version, values, store)


def _install(desk: Desk, found: Offer, form: SettingsForm | None, consent: ConsentForm) -> bool:
    """Whether it is done; if not, the forms say why."""
    version = _agreed(found, consent)
    if form is None or version is None or not form.validate_on_submit():
        return False
    settings = filling.clean(form, version)
    if settings is None:
        return False
    store, secrets = repositories(), form.secrets()
    notes: list[str] = []

    def plan() -> Plan:
        made = plan_install(desk.application, version, settings, store, secrets)
        notes[:] = made.notes
        return made

    carry_out(plan, "", signed_in(), store)
    with unit_of_work():
        installed = load_installed(desk, found.addon.package_name)
        follow_channel(installed, found.channel, signed_in())
    name = found.addon.name
    tell(_("%(name)s is saved in the site. It goes live when you publish.", name=name), notes)
    return True


def _agreed(found: Offer, consent: ConsentForm) -> AddonVersion | None:
    """The version whose rights the person was shown. Raises `Invalid` when a newer one has come
    since, and when nobody agreed to what it asks for."""
    if found.version is None:
        return None
    if request.form.get("version") != found.version.version:
        raise Invalid(_("A newer version came out just now. Look at what it asks for."))
    if words_of(read_rights(found.version.rights)):
        consent.require()
    return found.version


def _show(desk: Desk, found: Offer, form: SettingsForm | None, consent: ConsentForm) -> str:
    plan, told = None, ""
    if found.version is not None:
        try:
            plan = plan_install(desk.application, found.version, {}, repositories())
        except PanelError as error:
            told = error.sentence
    return desk.show(
        "publishing/install.html",
        offer=found,
        addon=found.addon,
        form=form,
        consent=consent,
        plan=plan,
        told=told,
        asks=words_of(read_rights(found.version.rights)) if found.version else [],
        needed=[(name, _known(name)) for name in (plan.missing if plan else ())],
        channels=_channels(found.addon),
        is_installed=find_installed(desk.application.id, found.addon.package_name) is not None,
    )


def _known(package_name: str) -> Addon | None:
    """The addon of that name, unless the person may not know of it."""
    addon = find_addon(package_name)
    return addon if addon and rights_on_addon(addon, signed_in()) else None


def _channels(addon: Addon) -> list[tuple[Channel, AddonVersion]]:
    """The channels to choose from, the most trusted first: those that offer another version than
    the ones before."""
    found: list[tuple[Channel, AddonVersion]] = []
    for channel in reversed(TRUST):
        version = newest_in(addon.versions, channel)
        if version is not None and version not in [known for _, known in found]:
            found.append((channel, version))
    return found
