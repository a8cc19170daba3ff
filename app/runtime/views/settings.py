"""Settings of an application: its name and its release commands."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications import operations as applications
from app.applications.access import load_application
from app.applications.queries import rights_on
from app.errors import Invalid, NotFound
from app.permissions import Permission
from app.runtime import operations, queries
from app.runtime.brought import teller
from app.runtime.forms import NameForm, ReleaseCommandForm
from app.runtime.views.blueprint import blueprint
from app.transactions import unit_of_work
from app.web.access import requires


@blueprint.get("/settings/")
@requires(Permission.APPLICATION_READ)
def settings(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    return render_template(
        "runtime/settings.html",
        application=application,
        rights=rights_on(application, signed_in()),
        commands=queries.list_release_commands(application.id),
        brought=teller().commands(application),
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
