"""Setting many variables from `.env` text: first a preview, then all or nothing.

The text, which holds secrets, travels in the body of the form only: no address, session or log
ever has it.
"""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.models import Environment
from app.errors import Invalid
from app.permissions import Permission
from app.runtime.cautions import pieces_of
from app.runtime.forms import PasteForm
from app.runtime.views.blueprint import blueprint
from app.transactions import unit_of_work
from app.variables.dotenv_text import read_lines
from app.variables.operations import Overtaken, set_variables
from app.variables.planning import Plan, entries_of, plan_paste
from app.web.access import requires


@blueprint.get("/environments/<name>/variables/paste/")
@requires(Permission.VARIABLES_UPDATE)
def paste_variables(slug: str, name: str) -> ResponseReturnValue:
    return _page(load_environment(slug, name), PasteForm(), None)


@blueprint.post("/environments/<name>/variables/paste/")
@requires(Permission.VARIABLES_UPDATE)
def preview_paste(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = PasteForm()
    try:
        return _page(environment, form, _plan(environment, form))
    except Invalid as error:
        form.refuse(error)
        return _page(environment, form, None), error.status


@blueprint.post("/environments/<name>/variables/paste/apply/")
@requires(Permission.VARIABLES_UPDATE)
def apply_paste(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = PasteForm()
    try:
        count = _apply(environment, form)
    except (Invalid, Overtaken) as error:
        form.form_errors.append(error.sentence)
        return _page(environment, form, _plan_if_readable(environment, form)), error.status
    words = ngettext(
        "%(num)s variable is set. It takes effect at the next deployment.",
        "%(num)s variables are set. They take effect at the next deployment.",
        count,
    )
    flash(words, "success")
    return redirect(url_for("runtime.variables", slug=slug, name=name), 303)


def _apply(environment: Environment, form: PasteForm) -> int:
    lines = read_lines(form.text.data or "")
    refused = [line.number for line in lines if line.problem]
    if refused:
        sentence = _("Line %(number)s cannot be used. Nothing was saved.", number=refused[0])
        raise Invalid(sentence, "text")
    with unit_of_work():
        entries = entries_of(lines, _ticked())
        return set_variables(environment, entries, signed_in(), form.seen.data or None)


def _plan(environment: Environment, form: PasteForm) -> Plan:
    shown = frozenset((form.shown.data or "").split())
    return plan_paste(environment.id, form.text.data or "", _ticked(), shown)


def _plan_if_readable(environment: Environment, form: PasteForm) -> Plan | None:
    try:
        return _plan(environment, form)
    except Invalid:
        return None


def _ticked() -> frozenset[str]:
    return frozenset(request.form.getlist("secret"))


def _page(environment: Environment, form: PasteForm, plan: Plan | None) -> str:
    return render_template(
        "runtime/variables_paste.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        form=form,
        plan=plan,
        pieces_of=pieces_of,
    )
