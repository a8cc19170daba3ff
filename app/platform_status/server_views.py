"""The operator's page of servers on which sites get their services."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.adapters.services import ServiceKind
from app.errors import Invalid
from app.permissions import Permission
from app.platform_status.access import load_installation
from app.regions.queries import LOCAL, find_region
from app.services import queries, servers
from app.services.forms import ServerForm
from app.services.models import ServiceServer
from app.transactions import unit_of_work
from app.web.access import hide, requires

blueprint = Blueprint("service_servers", __name__, url_prefix="/operator/services")


@blueprint.get("/")
@requires(Permission.INSTALLATION_OPERATE)
def listed() -> ResponseReturnValue:
    load_installation()
    return _page(ServerForm())


@blueprint.post("/")
@requires(Permission.INSTALLATION_OPERATE)
def add() -> ResponseReturnValue:
    load_installation()
    form = ServerForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                name = _add(form).name
            flash(_("%(name)s is on offer. No page shows its URL again.", name=name), "success")
            return redirect(url_for("service_servers.listed"), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(form)


def _add(form: ServerForm) -> ServiceServer:
    region = find_region(LOCAL)
    if region is None:
        raise RuntimeError("the installation has no region; `flask panel migrate` makes the first")
    kind = ServiceKind(form.kind.data)
    return servers.add_server(region, kind, form.version.data, form.url.data, signed_in())


@blueprint.post("/<uuid>/offer/")
@requires(Permission.INSTALLATION_OPERATE)
def change_offer(uuid: str) -> ResponseReturnValue:
    load_installation()
    row = queries.find_server(uuid)
    if row is None:
        raise hide("server")
    with unit_of_work():
        servers.set_offer(row, not row.is_on_offer, signed_in())
    flash(_("The offer is changed. Present services stay as they are."), "success")
    return redirect(url_for("service_servers.listed"), 303)


def _page(form: ServerForm) -> str:
    return render_template(
        "operator/service_servers.html",
        servers=queries.list_servers(),
        counts=queries.count_instances(),
        form=form,
    )
