"""Saving the form of a Flavours addon."""

from __future__ import annotations

from collections.abc import Mapping

from app.accounts.models import User
from app.addons import api
from app.addons.flavours.fields import text_of
from app.addons.flavours.queries import Flavour, fill_form
from app.environments.models import Environment
from app.environments.operations import take_turns
from app.errors import Invalid
from app.runtime.queries import automatic_variables
from app.variables.limits import Entry
from app.variables.operations import Overtaken, remove_variable, set_variables
from app.variables.queries import find_variables


class Refused(Invalid):
    """Several fields cannot be taken; `sentences` has one for each, by the field's name."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__(" ".join(sentences.values()))
        self.sentences = dict(sentences)


def save_flavour(
    environment: Environment,
    flavour: Flavour,
    entered: Mapping[str, api.Value],
    actor: User,
    seen: str | None = None,
) -> int:
    """Keep what was entered as variables of the environment, all or nothing; returns how many
    differ from before. They take effect at the next deployment.

    A field that is not among `entered` keeps its variable as it is, one left empty has none
    afterwards. `seen` is `Filled.seen` of the form the person had. Raises `Refused`, `Invalid` for
    a variable that belongs to the platform or is too large, and `Overtaken`.
    """
    if flavour.problem:
        raise Invalid(flavour.problem)
    take_turns(environment.id)
    filled = fill_form(environment, flavour)
    if seen is not None and seen != filled.seen:
        raise Overtaken("Somebody else has changed one of these meanwhile. Look again, then save.")
    texts = _texts(filled.fields, filled.values, entered)
    _refuse_platform(environment, texts)
    secrets = {field.variable for field in filled.fields if field.is_secret}
    entries = [Entry(name, text, name in secrets) for name, text in texts.items() if text]
    count = set_variables(environment, entries, actor, addon=flavour.listed.key)
    emptied = [name for name, text in texts.items() if not text]
    for row in find_variables(environment.id, emptied).values():
        remove_variable(environment, row, actor, addon=flavour.listed.key)
        count += 1
    return count


def _texts(
    fields: tuple[api.Field, ...],
    present: Mapping[str, api.Value],
    entered: Mapping[str, api.Value],
) -> dict[str, str]:
    """What each variable is to hold, by its name."""
    texts, sentences = {}, {}
    for field in fields:
        if field.is_read_only and field.is_secret:
            continue
        if field.name not in entered and not field.is_read_only:
            if field.required and not present[field.name]:
                sentences[field.name] = f"“{field.label}” must be filled in."
            continue
        value = present[field.name] if field.is_read_only else entered[field.name]
        try:
            texts[field.variable] = text_of(field, value)
        except Invalid as error:
            sentences[field.name] = error.sentence
    if sentences:
        raise Refused(sentences)
    return texts


def _refuse_platform(environment: Environment, texts: Mapping[str, str]) -> None:
    """The platform sets more for some environments than for others: looked at once more here."""
    taken = sorted(set(texts) & set(automatic_variables(environment)))
    if taken:
        raise Invalid(f"{taken[0]} belongs to Moonbase: an addon may not set it.")
