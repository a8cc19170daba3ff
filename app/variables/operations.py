"""Setting and removing variables."""

from __future__ import annotations

import re

from app.accounts.models import User
from app.audit.operations import record
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db
from app.variables import queries
from app.variables.models import Variable

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
PORT = re.compile(r"[0-9]{1,5}")
VALUE_BYTES = 32 * 1024
"""Linux takes 128 KiB for one argument (MAX_ARG_STRLEN); a quarter of it leaves room."""
MASKED_FROM = 8
"""Secrets shorter than this cannot be masked in logs: they would blot out ordinary words."""


def set_variable(
    environment: Environment, name: str, value: str, is_secret: bool, actor: User
) -> Variable:
    """Set `name`; an empty value is a value. Takes effect at the next deployment."""
    key = name.strip()
    if not NAME.fullmatch(key):
        raise Invalid("A variable's name has letters, digits and “_”, not a digit first.", "name")
    if len(value.encode()) > VALUE_BYTES or "\x00" in value:
        raise Invalid(f"A value has at most {VALUE_BYTES // 1024} kB, without NUL.", "value")
    if key == "PORT" and not (PORT.fullmatch(value.strip()) and 0 < int(value) < 65536):
        raise Invalid("PORT is a number from 1 to 65535.", "value")
    variable = queries.find_variable(environment.id, key)
    if variable is None:
        variable = Variable(environment_id=environment.id, name=key)
        db.session.add(variable)
    variable.value = value
    variable.is_secret = is_secret
    _record("variable.set", environment, key, actor)
    return variable


def remove_variable(environment: Environment, variable: Variable, actor: User) -> None:
    """Remove it; an automatic one of that name shows again."""
    _record("variable.remove", environment, variable.name, actor)
    db.session.delete(variable)


def _record(action: str, environment: Environment, name: str, actor: User) -> None:
    application = environment.application
    record(
        action,
        f"{application.slug}/{environment.slug}",
        actor=actor,
        organisation_id=application.organisation_id,
        name=name,
    )
