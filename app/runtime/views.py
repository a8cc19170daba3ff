"""Variables and release commands: what the next deployment will run with."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications import operations as applications
from app.applications.access import load_application
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.queries import list_environments
from app.errors import Invalid, NotFound
from app.permissions import Permission
from app.runtime import operations, queries
from app.runtime.forms import NameForm, ReleaseCommandForm, VariableForm
from app.transactions import unit_of_work
from app.variables.operations import remove_variable as remove
from app.variables.operations import set_variable as set_
from app.variables.queries import find_variable, list_variables
from app.web.access import requires

blueprint = Blueprint("runtime", __name__, url_prefix="/applications/<slug>")


@blueprint.get("/environments/<name>/variables/")
@requires(Permission.VARIABLES_READ)
def variables(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    edited = find_variable(environment.id, request.args.get("edit", ""))
    form = VariableForm(obj=edited) if edited and not edited.is_secret else VariableForm()
    if edited and edited.is_secret:
        form.name.data, form.is_secret.data = edited.name, True
    return render_template(
        "runtime/variables.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        rows=list_variables(environment.id),
        automatic=queries.automatic_variables(environment),
        form=form,
    )


@blueprint.post("/environments/<name>/variables/")
@requires(Permission.VARIABLES_UPDATE)
def set_variable(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = VariableForm()
    if not form.validate_on_submit():
        raise Invalid(_("A variable needs a name."))
    with unit_of_work():
        row = set_(
            environment, form.name.data, form.value.data or "", form.is_secret.data, signed_in()
        )
        key = row.name
    flash(_("%(key)s is saved. It takes effect at the next deployment.", key=key), "success")
    return redirect(url_for("runtime.variables", slug=slug, name=name), 303)


@blueprint.post("/environments/<name>/variables/<key>/remove/")
@requires(Permission.VARIABLES_UPDATE)
def remove_variable(slug: str, name: str, key: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        variable = find_variable(environment.id, key)
        if variable is None:
            raise NotFound(_("There is no such variable."))
        remove(environment, variable, signed_in())
    flash(_("%(key)s is removed at the next deployment.", key=key), "success")
    return redirect(url_for("runtime.variables", slug=slug, name=name), 303)


@blueprint.get("/settings/")
@requires(Permission.APPLICATION_READ)
def settings(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    return render_template(
        "runtime/settings.html",
        application=application,
        rights=rights_on(application, signed_in()),
        commands=queries.list_release_commands(application.id),
        name_form=NameForm(obj=application),
        form=ReleaseCommandForm(),
    )


@blueprint.post("/settings/name/")
@requires(Permission.APPLICATION_UPDATE)
def rename(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        applications.rename_application(application, request.form.get("name", ""), signed_in())
    flash(_("The name is changed."), "success")
    return redirect(url_for("runtime.settings", slug=slug), 303)


@blueprint.post("/settings/release-commands/")
@requires(Permission.APPLICATION_UPDATE)
def add_release_command(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = ReleaseCommandForm()
    if not form.validate_on_submit():
        raise Invalid(_("A release command needs a label and a command."))
    with unit_of_work():
        operations.add_release_command(application, form.label.data, form.command.data, signed_in())
    flash(_("The command runs from the next deployment on."), "success")
    return redirect(url_for("runtime.settings", slug=slug), 303)


@blueprint.post("/settings/release-commands/<int:command_id>/remove/")
@requires(Permission.APPLICATION_UPDATE)
def remove_release_command(slug: str, command_id: int) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        commands = queries.list_release_commands(application.id)
        row = next((row for row in commands if row.id == command_id), None)
        if row is None:
            raise NotFound(_("There is no such command."))
        operations.remove_release_command(application, row, signed_in())
    flash(_("The command does not run any more."), "success")
    return redirect(url_for("runtime.settings", slug=slug), 303)
