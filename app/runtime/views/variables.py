"""The variables of an environment: looking, setting, removing, and revealing a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid, NotFound
from app.permissions import Permission
from app.runtime.cautions import Caution, cautions_of, pieces_of, remarks_on, replaces_service
from app.runtime.forms import VariableForm
from app.runtime.queries import SECRET_NAMES, automatic_variables, service_variables
from app.runtime.variables_table import load_table
from app.runtime.views.blueprint import blueprint
from app.transactions import unit_of_work
from app.variables import operations
from app.variables.limits import MASKED_FROM, clean_key
from app.variables.models import Variable
from app.variables.operations import Overtaken
from app.variables.queries import find_alike, find_variable, newest_change
from app.web.access import requires


@dataclass
class Editor:
    """The form below the table, or in place of it: `present` is the variable it changes."""

    form: VariableForm
    present: Variable | None = None
    cautions: Sequence[Caution] = field(default_factory=tuple)

    @property
    def accepted(self) -> str:
        return " ".join(caution.code for caution in self.cautions)

    @property
    def version(self) -> int:
        """What the person sees, 0 for a new one."""
        return self.present.version if self.present else 0


@blueprint.get("/environments/<name>/variables/")
@requires(Permission.VARIABLES_READ)
def variables(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return _page(environment, _editor(environment))


@blueprint.post("/environments/<name>/variables/")
@requires(Permission.VARIABLES_UPDATE)
def set_variable(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = VariableForm()
    try:
        if not form.validate_on_submit():
            return _page(environment, _again(environment, form)), 400
        cautions = _cautions(environment, form)
        if {caution.code for caution in cautions} - set((form.accepted.data or "").split()):
            return _page(environment, _again(environment, form, cautions))
        _save(environment, form)
    except Overtaken:
        return _overtaken(environment, form), 409
    except Invalid as error:
        form.refuse(error)
        return _page(environment, _again(environment, form)), error.status
    _tell(form, cautions)
    return redirect(url_for("runtime.variables", slug=slug, name=name), 303)


def _save(environment: Environment, form: VariableForm) -> None:
    """A secret's value is not in the form: left empty, the present one stays."""
    value, is_secret = form.value.data or "", bool(form.is_secret.data)
    with unit_of_work():
        present = find_variable(environment.id, clean_key(form.name.data))
        if present and present.is_secret and not value:
            if not is_secret:
                raise Invalid(_("Enter the value again: what was secret is not shown."), "value")
            value = present.value
        operations.set_variable(
            environment, form.name.data, value, is_secret, signed_in(), form.version.data
        )


def _cautions(environment: Environment, form: VariableForm) -> list[Caution]:
    name = clean_key(form.name.data)
    present = find_variable(environment.id, name)
    alike = [] if present else find_alike(environment.id, name)
    value, is_secret = form.value.data or "", bool(form.is_secret.data)
    found = cautions_of(name, value, is_secret, automatic_variables(environment), alike)
    use = service_variables(environment).get(name)
    return [replaces_service(name, use.name), *found] if use else found


def _tell(form: VariableForm, cautions: Sequence[Caution]) -> None:
    key = form.name.data.strip()
    flash(_("%(key)s is saved. It takes effect at the next deployment.", key=key), "success")
    remarks = [] if form.is_secret.data else remarks_on(form.value.data or "")
    if remarks:
        flash(_("In %(key)s: %(remarks)s.", key=key, remarks="; ".join(remarks)), "warning")
    for caution in cautions:
        flash(caution.sentence, "warning")


def _editor(environment: Environment) -> Editor:
    """What `?edit=NAME` or `?new=NAME` asks for, or an empty form."""
    edited = request.args.get("edit", "")
    present = find_variable(environment.id, edited) if edited else None
    if present is None:
        wanted = request.args.get("new", "")[:200]
        form = VariableForm(name=wanted, is_secret=wanted in SECRET_NAMES)
        automatic = automatic_variables(environment) if wanted else {}
        cautions = cautions_of(wanted, "", False, automatic, [])
        use = service_variables(environment).get(wanted) if wanted else None
        if use:
            form.is_secret.data = True
            cautions = [replaces_service(wanted, use.name), *cautions]
        return Editor(form, None, cautions)
    value = "" if present.is_secret else present.value
    form = VariableForm(name=present.name, value=value, is_secret=present.is_secret)
    return Editor(form, present)


def _again(
    environment: Environment, form: VariableForm, cautions: Sequence[Caution] = ()
) -> Editor:
    """The form as it was sent. It keeps the version the person saw, not the present one."""
    present = find_variable(environment.id, (form.name.data or "").strip())
    return Editor(form, present if form.version.data else None, cautions)


def _page(environment: Environment, editor: Editor) -> str:
    application = environment.application
    return render_template(
        "runtime/variables.html",
        application=application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(application, signed_in()),
        table=load_table(environment, request.args.get("q", "")),
        editor=editor,
        masked_from=MASKED_FROM,
    )


def _overtaken(environment: Environment, form: VariableForm) -> str:
    """Both values: the one that was saved meanwhile, and the person's own, still in the form."""
    key = form.name.data.strip()
    present = find_variable(environment.id, key)
    return render_template(
        "runtime/variables_overtaken.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        editor=Editor(form, present),
        change=newest_change(environment.id, key),
        pieces=pieces_of(present.value) if present and not present.is_secret else [],
    )


@blueprint.post("/environments/<name>/variables/<key>/remove/")
@requires(Permission.VARIABLES_UPDATE)
def remove_variable(slug: str, name: str, key: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        variable = find_variable(environment.id, key)
        if variable is None:
            raise NotFound(_("There is no such variable."))
        operations.remove_variable(environment, variable, signed_in())
    flash(_("%(key)s is removed at the next deployment.", key=key), "success")
    return redirect(url_for("runtime.variables", slug=slug, name=name), 303)


@blueprint.post("/environments/<name>/variables/<key>/reveal/")
@requires(Permission.VARIABLES_REVEAL)
def reveal_variable(slug: str, name: str, key: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        value = _value_of(environment, key)
        operations.record_reveal(environment, key, signed_in())
    page = render_template(
        "runtime/variables_value.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        shown={"name": key, "value": value},
        pieces=pieces_of(value, None),
        remarks=remarks_on(value),
    )
    return make_response(page, {"Cache-Control": "no-store"})


def _value_of(environment: Environment, key: str) -> str:
    """The one in force: the person's own, or the automatic one."""
    variable = find_variable(environment.id, key)
    value = variable.value if variable else automatic_variables(environment).get(key)
    if value is None and (use := service_variables(environment).get(key)):
        value = use.variables.get(key)
    if value is None:
        raise NotFound(_("There is no such variable."))
    return value
