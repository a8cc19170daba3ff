"""Sharing services with other environments, and taking what they share."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.errors import Invalid
from app.permissions import Permission
from app.services import sharing
from app.services.access import load_instance, load_share_of, load_share_with
from app.services.forms import PrefixForm, ShareForm
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint(
    "service_shares", __name__, url_prefix="/applications/<slug>/environments/<name>/services"
)


@blueprint.post("/<service_uuid>/shares/")
@requires(Permission.VARIABLES_REVEAL)
def share(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    """Who may see its credentials may hand them on."""
    row = load_instance(slug, name, service_uuid)
    form = ShareForm()
    if not form.validate_on_submit():
        raise Invalid(_("Enter a site and its environment, e.g. demo/live."))
    with unit_of_work():
        place = sharing.share_instance(row, form.place.data, signed_in()).environment.place
    flash(_("%(place)s may use it, once its people accept.", place=place), "success")
    return _back(slug, name, f"service-{service_uuid}")


@blueprint.post("/<service_uuid>/shares/<share_uuid>/end/")
@requires(Permission.SERVICES_UPDATE)
def end(slug: str, name: str, service_uuid: str, share_uuid: str) -> ResponseReturnValue:
    row = load_share_of(slug, name, service_uuid, share_uuid)
    with unit_of_work():
        sharing.end_share(row, signed_in())
    flash(_("It is not shared any more, from the next deployment there on."), "success")
    return _back(slug, name, f"service-{service_uuid}")


@blueprint.post("/shared/<share_uuid>/accept/")
@requires(Permission.SERVICES_UPDATE)
def accept(slug: str, name: str, share_uuid: str) -> ResponseReturnValue:
    row = load_share_with(slug, name, share_uuid)
    form = PrefixForm()
    if not form.validate_on_submit():
        raise Invalid(_("Enter a prefix."))
    with unit_of_work():
        uuid = sharing.accept_share(row, form.prefix.data, signed_in()).uuid
    flash(_("The site is told of it at the next deployment."), "success")
    return _back(slug, name, f"service-{uuid}")


@blueprint.post("/shared/<share_uuid>/decline/")
@requires(Permission.SERVICES_UPDATE)
def decline(slug: str, name: str, share_uuid: str) -> ResponseReturnValue:
    row = load_share_with(slug, name, share_uuid)
    with unit_of_work():
        sharing.end_share(row, signed_in())
    flash(_("Declined."), "success")
    return _back(slug, name, "services")


def _back(slug: str, name: str, anchor: str) -> ResponseReturnValue:
    return redirect(url_for("services.services", slug=slug, name=name, _anchor=anchor), 303)
