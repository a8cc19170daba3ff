"""Filling in an addon's form: what was entered, what the addon says to it, what it would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.addons import api
from app.addons.forms import SettingsForm, build_form
from app.addons.installing import (
    Entered,
    Plan,
    Refused,
    carry_out,
    current_settings,
    plan_form,
)
from app.addons.models import AddonChange, AddonVersion, InstalledAddon
from app.addons.questions import validate
from app.applications.models import Application
from app.environments.models import TEST
from app.environments.queries import find_environment, list_environments
from app.errors import Conflict, PanelError
from app.repositories.queries import load_repository
from app.variables.queries import list_names

STATIC_FOLDER = "static"
"""Where sites keep the files that forms offer (addon contract, section 7)."""


@dataclass
class Draft:
    """A form on its way: `plan` is what saving it would do, `told` why it was not saved."""

    form: SettingsForm
    plan: Plan | None = None
    told: str = ""
    is_overtaken: bool = False
    """Somebody else has saved meanwhile."""


def open_form(installed: InstalledAddon, store: RepositoryStore) -> Draft:
    """The form as it is saved, or as it was just sent."""
    current = current_settings(installed.application, installed.addon.package_name, store)
    values = installed.settings if current.problem else current.values
    form = make_form(installed.application, installed.version, values, store)
    if not form.is_submitted():
        form.seen.data = current.seen
    return Draft(form, told=current.problem)


def make_form(
    application: Application,
    version: AddonVersion,
    values: Mapping[str, Any],
    store: RepositoryStore,
) -> SettingsForm:
    fields = version.fields
    files: tuple[str, ...] = ()
    if any(field.type == api.FieldType.FILE for field in fields):
        files = _static_files(application, store)
    return build_form(fields, values, _secrets_set(application, fields), files)


def _static_files(application: Application, store: RepositoryStore) -> tuple[str, ...]:
    test = find_environment(application.id, TEST)
    key = load_repository(application.id).uuid
    tip = store.resolve(key, test.branch) if test else None
    return tuple(store.list_files(key, tip, STATIC_FOLDER)) if tip else ()


def _secrets_set(application: Application, fields: tuple[api.Field, ...]) -> frozenset[str]:
    """Names of the secret fields whose variable has a value somewhere."""
    secret = [field for field in fields if field.is_secret]
    if not secret:
        return frozenset()
    known = {
        name
        for environment in list_environments(application.id)
        for name in list_names(environment.id)
    }
    return frozenset(field.name for field in secret if field.variable in known)


def clean(form: SettingsForm, version: AddonVersion) -> dict[str, Any] | None:
    """The settings as they are to be kept; None when something is refused, which the form says
    beside its fields. Asks the addon, so call it outside of a unit of work."""
    if not form.validate_on_submit():
        return None
    answer = validate(version, form.settings())
    if answer.errors:
        form.put(answer.errors)
        return None
    secret = {field.name for field in form.described if field.is_secret}
    return {name: value for name, value in answer.settings.items() if name not in secret}


def preview(installed: InstalledAddon, draft: Draft, store: RepositoryStore) -> Draft:
    """See what saving would do; nothing is written."""
    form = draft.form
    if not form.validate_on_submit():
        return draft
    entered = Entered(form.settings(), form.secrets())
    try:
        plan = plan_form(installed, entered, store, form.seen.data or "")
    except Refused as refused:
        form.put(refused.sentences)
        return draft
    except Conflict as error:
        return _overtaken(installed, form, error, store)
    except PanelError as error:
        return Draft(form, told=error.sentence)
    return Draft(form, plan)


def save(
    installed: InstalledAddon, draft: Draft, confirmed: str, actor: User, store: RepositoryStore
) -> AddonChange | Draft:
    """Save what was previewed. Gives a draft that says why nothing was saved: a field is wrong,
    somebody else was faster, or it is not what the person has seen (`confirmed`, of the plan)."""
    form, seen = draft.form, draft.form.seen.data or ""
    if not form.validate_on_submit():
        return draft
    entered = Entered(form.settings(), form.secrets())

    def plan() -> Plan:
        return plan_form(installed, entered, store, seen)

    try:
        return carry_out(plan, confirmed, actor, store)
    except Refused as refused:
        form.put(refused.sentences)
        return draft
    except Conflict as error:
        return _again(installed, form, plan, error, store)
    except PanelError as error:
        return Draft(form, told=error.sentence)


def _again(
    installed: InstalledAddon,
    form: SettingsForm,
    plan: Callable[[], Plan],
    error: Conflict,
    store: RepositoryStore,
) -> Draft:
    """What was confirmed is not what would happen: show what would."""
    try:
        return Draft(form, plan(), told=error.sentence)
    except Conflict as overtaken:
        return _overtaken(installed, form, overtaken, store)


def _overtaken(
    installed: InstalledAddon, form: SettingsForm, error: Conflict, store: RepositoryStore
) -> Draft:
    """From here on the person is told of what somebody else has saved."""
    package_name = installed.addon.package_name
    form.seen.data = current_settings(installed.application, package_name, store).seen
    return Draft(form, told=error.sentence, is_overtaken=True)
