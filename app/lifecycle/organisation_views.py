"""Pages on which an organisation gives an application away, or is deleted."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons.deletion import list_addons
from app.applications.access import load_application
from app.applications.models import Application
from app.applications.queries import list_all_applications, rights_on
from app.errors import Invalid
from app.lifecycle.forms import ConfirmationForm
from app.lifecycle.organisations import delete_organisation, list_needed_addons
from app.lifecycle.transfer import foresee_transfer, list_targets, transfer_application
from app.organisations.access import load_organisation
from app.organisations.models import Organisation
from app.organisations.queries import count_members, list_invitations
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("ownership", __name__)


@blueprint.get("/applications/<slug>/transfer/")
@requires(Permission.APPLICATION_TRANSFER)
def transfer(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    targets = list_targets(application, signed_in())
    chosen = next((row for row in targets if row.slug == request.args.get("to")), None)
    return render_template(
        "lifecycle/transfer.html",
        application=application,
        rights=rights_on(application, signed_in()),
        targets=targets,
        chosen=chosen,
        consequences=foresee_transfer(application, chosen) if chosen else None,
    )


@blueprint.post("/applications/<slug>/transfer/")
@requires(Permission.APPLICATION_TRANSFER)
def give_away(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    target = _target(application, request.form.get("organisation", ""))
    with unit_of_work():
        transfer_application(application, target, signed_in())
        name, owner = application.name, target.name
        keeps_it = bool(rights_on(application, signed_in()))
    flash(_("%(name)s belongs to %(owner)s now.", name=name, owner=owner), "success")
    there = url_for("deployments.dashboard", slug=slug)
    return redirect(there if keeps_it else url_for("overview.applications"), 303)


def _target(application: Application, slug: str) -> Organisation:
    for row in list_targets(application, signed_in()):
        if row.slug == slug:
            return row
    raise Invalid(_("Choose an organisation from the list."))


@blueprint.route("/organisations/<slug>/delete/", methods=["GET", "POST"])
@requires(Permission.ORGANISATION_DELETE)
def delete(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    name = organisation.name
    form = ConfirmationForm()
    if form.is_done(name, lambda: delete_organisation(organisation, signed_in())):
        flash(_("%(name)s is deleted.", name=name), "success")
        return redirect(url_for("organisations.organisations"), 303)
    return _show_deletion(organisation, form)


def _show_deletion(organisation: Organisation, form: ConfirmationForm) -> str:
    return render_template(
        "lifecycle/delete_organisation.html",
        organisation=organisation,
        form=form,
        applications=list_all_applications(organisation.id),
        needed=list_needed_addons(organisation.id),
        addons=list_addons(organisation.id),
        members=count_members(organisation.id),
        invitations=len(list_invitations(organisation.id)),
    )
