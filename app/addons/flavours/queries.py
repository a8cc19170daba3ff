"""Which Flavours addons a commit has, and what their forms show."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flask_babel import gettext as _

from app.adapters.git import RepositoryStore
from app.addons import api
from app.addons.contributions import is_platform_variable
from app.addons.flavours.fields import fields_of, initial_values
from app.addons.flavours.files import (
    APP_FILE,
    ListedAddon,
    read_app,
    read_description,
)
from app.environments.models import Environment
from app.errors import Invalid
from app.repositories.queries import load_repository
from app.variables.planning import seen_in
from app.variables.queries import find_variables


@dataclass(frozen=True)
class Flavour:
    """One addon of `app.flavour`. With a `problem` it has no form, and its settings stay as they
    are; the sentence says why."""

    listed: ListedAddon
    fields: tuple[api.Field, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Flavours:
    """What the branch of an environment has. `is_there` says whether it has an `app.flavour`; with
    a `problem` that file cannot be used."""

    addons: tuple[Flavour, ...] = ()
    is_there: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Filled:
    """An addon's form as an environment has it: values by field, without secrets, of which
    `secrets_set` has those with a value. `seen` changes with any of its variables."""

    fields: tuple[api.Field, ...]
    values: Mapping[str, api.Value]
    secrets_set: frozenset[str]
    seen: str


def read_flavours(environment: Environment, store: RepositoryStore) -> Flavours:
    """All of them at the tip of the environment's branch: what its next deployment runs."""
    key = load_repository(environment.application_id).uuid
    commit = store.resolve(key, environment.branch)
    if commit is None:
        return Flavours()
    try:
        content = store.read_file(key, commit, APP_FILE)
        if content is None:
            return Flavours()
        listed = read_app(content)
    except Invalid as error:
        return Flavours(is_there=True, problem=error.sentence)
    return Flavours(tuple(_load(entry, key, commit, store) for entry in listed), is_there=True)


def find_flavour(environment: Environment, key: str, store: RepositoryStore) -> Flavour | None:
    """One of them, as `app.flavour` calls it: `namespace/name:version`."""
    found = read_flavours(environment, store).addons
    return next((row for row in found if row.listed.key == key), None)


def fill_form(environment: Environment, flavour: Flavour) -> Filled:
    """What its form shows: the present variables, and defaults where there are none."""
    rows = find_variables(environment.id, [field.variable for field in flavour.fields])
    secrets = frozenset(name for name, row in rows.items() if row.is_secret)
    # What people have made a secret is one, whatever the addon says.
    fields = tuple(
        replace(field, is_secret=field.is_secret or field.variable in secrets)
        for field in flavour.fields
    )
    present = {name: row.value for name, row in rows.items()}
    secrets_set = {field.name for field in fields if field.is_secret and field.variable in present}
    return Filled(
        fields,
        initial_values(fields, present),
        frozenset(secrets_set),
        seen_in(rows.values()),
    )


def _load(listed: ListedAddon, key: str, commit: str, store: RepositoryStore) -> Flavour:
    try:
        content = store.read_file(key, commit, listed.path) if listed.sha256 else None
        if content is None:
            return Flavour(listed, problem=_missing(listed))
        if hashlib.sha256(content).hexdigest() != listed.sha256:
            return Flavour(
                listed,
                problem=_("Its file was changed after it was installed: the sum does not fit."),
            )
        fields = fields_of(read_description(content, listed.path))
    except Invalid as error:
        return Flavour(listed, problem=error.sentence)
    taken = sorted(field.variable for field in fields if is_platform_variable(field.variable))
    if taken:
        sentence = _("It wants to set %(variable)s, which belongs to Moonbase.", variable=taken[0])
        return Flavour(listed, problem=sentence)
    return Flavour(listed, fields)


def _missing(listed: ListedAddon) -> str:
    if not listed.sha256:
        return str(_("app.flavour has no SHA-256 for it, so that its file cannot be found."))
    return str(_("Its file %(path)s is not in the repository.", path=listed.path))
