"""The page that makes a new application."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.models import Starter
from app.errors import Invalid
from app.installation import installation
from app.lifecycle import operations
from app.lifecycle.forms import ApplicationForm
from app.lifecycle.operations import NewApplication
from app.organisations.access import load_organisation
from app.organisations.queries import list_memberships
from app.permissions import ORGANISATION_RIGHTS, Permission
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("lifecycle", __name__)


@blueprint.get("/applications/new/")
@requires(Permission.ACCOUNT_OWN)
def new() -> ResponseReturnValue:
    form = _form()
    form.organisation.data = request.args.get("organisation") or form.organisation.data
    return _show(form)


@blueprint.post("/applications/new/")
@requires(Permission.APPLICATION_CREATE)
def create() -> ResponseReturnValue:
    organisation = load_organisation(request.form.get("organisation", ""))
    form = _form()
    if form.validate_on_submit():
        wanted = NewApplication(form.name.data, form.slug.data, Starter(form.starter.data))
        here = installation()
        try:
            with unit_of_work():
                application = operations.create_application(
                    wanted, organisation, signed_in(), here.adapters.repositories, here.settings
                )
            flash(_("%(name)s is there. Deploy it when you like.", name=wanted.name), "success")
            return redirect(url_for("deployments.dashboard", slug=application.slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _show(form)


def _show(form: ApplicationForm) -> str:
    domain = installation().settings.platform_domain
    return render_template("lifecycle/new.html", form=form, platform_domain=domain)


def _form() -> ApplicationForm:
    form = ApplicationForm()
    form.organisation.choices = [
        (row.organisation.slug, row.organisation.name)
        for row in list_memberships(signed_in())
        if Permission.APPLICATION_CREATE in ORGANISATION_RIGHTS[row.role]
    ]
    return form
