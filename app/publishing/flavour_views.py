"""Flavours addons of an environment: those its branch has, and the forms that set their
variables."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts.access import signed_in
from app.addons import api
from app.addons.flavours.operations import Refused, save_flavour
from app.addons.flavours.queries import Filled, Flavour, fill_form, find_flavour, read_flavours
from app.addons.forms import SettingsForm, build_form
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid, NotFound
from app.installation import installation
from app.permissions import Permission
from app.transactions import unit_of_work
from app.variables.operations import Overtaken
from app.web.access import requires

blueprint = Blueprint(
    "flavours", __name__, url_prefix="/applications/<slug>/environments/<name>/flavours"
)


@blueprint.get("/")
@requires(Permission.APPLICATION_READ)
def flavours(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return render_template(
        "publishing/flavours.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        found=read_flavours(environment, installation().adapters.repositories),
    )


@blueprint.get("/<path:key>/")
@requires(Permission.VARIABLES_UPDATE)
def form(slug: str, name: str, key: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    flavour = _load(environment, key)
    filled = fill_form(environment, flavour)
    return _page(environment, flavour, _form_of(filled), filled.seen)


@blueprint.post("/<path:key>/")
@requires(Permission.VARIABLES_UPDATE)
def save(slug: str, name: str, key: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    flavour = _load(environment, key)
    entered = _form_of(fill_form(environment, flavour))
    seen = request.form.get("seen") or None
    if not entered.validate_on_submit():
        return _page(environment, flavour, entered, seen), 400
    try:
        with unit_of_work():
            count = save_flavour(environment, flavour, _values(entered), signed_in(), seen)
    except (Invalid, Overtaken) as error:
        entered.put(error.sentences if isinstance(error, Refused) else {"": error.sentence})
        return _page(environment, flavour, entered, seen), error.status
    _tell(count)
    return redirect(url_for("flavours.flavours", slug=slug, name=name), 303)


def _load(environment: Environment, key: str) -> Flavour:
    """One that has a form: without one there is nothing to be seen or saved."""
    flavour = find_flavour(environment, key, installation().adapters.repositories)
    if flavour is None or not flavour.fields:
        raise NotFound(_("There is no such addon, or it has no settings."))
    return flavour


def _form_of(filled: Filled) -> SettingsForm:
    """Filled with what the person has sent, or else with what is set."""
    return build_form(filled.fields, filled.values, filled.secrets_set)


def _values(form: SettingsForm) -> dict[str, api.Value]:
    """What was entered, by field. A secret that was left empty is not in it: it stays."""
    secrets = form.secrets()
    settings = form.settings()
    plain = [field.name for field in form.described if not field.is_secret]
    return {name: settings[name] for name in plain} | secrets


def _tell(count: int) -> None:
    words = ngettext(
        "%(num)s variable is set. It takes effect at the next deployment.",
        "%(num)s variables are set. They take effect at the next deployment.",
        count,
    )
    flash(words if count else _("Nothing has changed."), "success")


def _page(environment: Environment, flavour: Flavour, form: SettingsForm, seen: str | None) -> str:
    return render_template(
        "publishing/flavour.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        flavour=flavour,
        form=form,
        seen=seen,
    )
