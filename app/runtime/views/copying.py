"""Copying variables to another environment of the application: choose, look, apply."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid
from app.permissions import Permission
from app.runtime.views.blueprint import blueprint
from app.transactions import unit_of_work
from app.variables.operations import Overtaken, copy_variables, entries_from
from app.variables.planning import plan_entries
from app.variables.queries import list_names
from app.web.access import requires


@blueprint.get("/environments/<name>/variables/copy/")
@requires(Permission.VARIABLES_UPDATE)
def choose_copies(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    others = list_environments(environment.application_id)
    return render_template(
        "runtime/variables_copy.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        others=[row for row in others if row.id != environment.id],
        names=list_names(environment.id),
    )


@blueprint.post("/environments/<name>/variables/copy/")
@requires(Permission.VARIABLES_UPDATE)
def preview_copies(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    target = load_environment(slug, request.form.get("to", ""))
    return _preview(environment, target, None if request.form.get("all") else _names())


@blueprint.post("/environments/<name>/variables/copy/apply/")
@requires(Permission.VARIABLES_UPDATE)
def apply_copies(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    target = load_environment(slug, request.form.get("to", ""))
    seen = request.form.get("seen") or None
    try:
        with unit_of_work():
            count = copy_variables(environment, target, _names(), signed_in(), seen)
    except Overtaken as error:
        flash(error.sentence, "danger")
        return _preview(environment, target, _names()), error.status
    _tell(count, target)
    return redirect(url_for("runtime.variables", slug=slug, name=target.slug), 303)


def _tell(count: int, target: Environment) -> None:
    words = ngettext(
        "%(num)s variable of %(environment)s is set. It takes effect at its next deployment.",
        "%(num)s variables of %(environment)s are set. They take effect at its next deployment.",
        count,
        environment=target.name,
    )
    flash(words, "success")


def _names() -> frozenset[str]:
    names = frozenset(request.form.getlist("names"))
    if not names:
        raise Invalid(_("Tick at least one variable."))
    return names


def _preview(environment: Environment, target: Environment, names: frozenset[str] | None) -> str:
    plan = plan_entries(target.id, entries_from(environment, names))
    return render_template(
        "runtime/variables_copy_preview.html",
        application=environment.application,
        environment=environment,
        target=target,
        rights=rights_on(environment.application, signed_in()),
        plan=plan,
    )
