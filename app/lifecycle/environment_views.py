"""The page that adds an environment to an application."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.access import load_application
from app.applications.models import Application
from app.applications.queries import rights_on
from app.environments.operations import ENVIRONMENTS_ALLOWED
from app.environments.queries import count_environments, list_environments
from app.errors import Invalid
from app.installation import installation
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.forms import EnvironmentForm
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("new_environment", __name__, url_prefix="/applications/<slug>")


@blueprint.get("/environments/new/")
@requires(Permission.ENVIRONMENT_CREATE)
def new(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = _form(application)
    form.source.data = request.args.get("source", "")
    return _show(application, form)


@blueprint.post("/environments/new/")
@requires(Permission.ENVIRONMENT_CREATE)
def create(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = _form(application)
    if form.validate_on_submit():
        try:
            _add(application, form)
            flash(_("%(name)s is there. Deploy it when you like.", name=form.name.data), "success")
            return redirect(url_for("deployments.dashboard", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _show(application, form)


def _add(application: Application, form: EnvironmentForm) -> None:
    wanted = NewEnvironment(
        form.name.data, form.slug.data, form.branch.data or "", form.source.data or ""
    )
    here = installation()
    with unit_of_work():
        store = here.adapters.repositories
        add_environment(application, wanted, signed_in(), store, here.settings)


def _form(application: Application) -> EnvironmentForm:
    form = EnvironmentForm()
    form.source.choices = [
        ("", _("Nothing: an empty environment")),
        *(
            (row.slug, _("A copy of the settings of %(name)s", name=row.name))
            for row in list_environments(application.id)
        ),
    ]
    return form


def _show(application: Application, form: EnvironmentForm) -> str:
    return render_template(
        "lifecycle/new_environment.html",
        application=application,
        rights=rights_on(application, signed_in()),
        form=form,
        platform_domain=installation().settings.platform_domain,
        room=ENVIRONMENTS_ALLOWED - count_environments(application.id),
        allowed=ENVIRONMENTS_ALLOWED,
    )
