"""The form of a Flavours addon, out of the `config` of its description; and what may be entered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.addons.api import Field, FieldType, Value, Visibility
from app.addons.flavours.files import Description
from app.errors import Invalid
from app.variables.limits import NAME, RESERVED_PREFIX, looks_secret

MOST_FIELDS = 200
TYPES = {
    "scalar/string": FieldType.TEXT,
    "scalar/integer": FieldType.NUMBER,
    "scalar/int": FieldType.NUMBER,  # what the first version of Flavours' library called it
    "scalar/boolean": FieldType.CHECKBOX,
}
VISIBILITIES = {
    "0": Visibility.PUBLIC,
    "1": Visibility.ADVANCED,
    "2": Visibility.DANGEROUS,
}
YES = frozenset("1 true yes y on".split())
NO = frozenset("0 false no n off".split())
KEYS = frozenset("type label variable helptext visibility required readonly default".split())
RANGE = frozenset({"min", "max"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def fields_of(description: Description) -> tuple[Field, ...]:
    """The fields in the order of the file. `Invalid` for anything the schema does not know: then
    there is no form at all, for half a form would save half of what the addon needs."""
    if len(description.config) > MOST_FIELDS:
        raise Invalid(f"Its form has more than {MOST_FIELDS} fields.")
    fields = tuple(
        _field(description.name, name, entry) for name, entry in description.config.items()
    )
    variables = [field.variable for field in fields]
    twice = {name for name in variables if variables.count(name) > 1}
    if twice:
        raise Invalid(f"Two of its fields are for the variable {min(twice)}.")
    return fields


def variable_of(addon: str, field: str) -> str:
    """The environment variable of a field that names none: letters and digits of both, in
    capitals, with `_` for whatever is between."""
    plain = unicodedata.normalize("NFKD", f"{addon}_{field}").encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]+", "_", plain.upper()).strip("_")


def text_of(field: Field, entered: Value) -> str:
    """What is entered, as its variable holds it; empty for what is left empty. `Invalid` with a
    sentence for the person, and the field's name."""
    if field.type == FieldType.CHECKBOX:
        is_yes = entered.strip().lower() in YES if isinstance(entered, str) else bool(entered)
        return "True" if is_yes else "False"
    text = "" if entered is None or entered is False else str(entered)
    if field.type == FieldType.NUMBER:
        text = text.strip()
    if not text:
        if field.required and not field.is_read_only:
            raise Invalid(f"“{field.label}” must be filled in.", field.name)
        return ""
    if field.type == FieldType.NUMBER:
        return str(_number_in_range(field, text))
    return text


def _number_in_range(field: Field, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Invalid(f"“{field.label}” is a whole number.", field.name)
    number = int(text)
    if field.min_value is not None and number < field.min_value:
        raise Invalid(f"“{field.label}” is at least {field.min_value}.", field.name)
    if field.max_value is not None and number > field.max_value:
        raise Invalid(f"“{field.label}” is at most {field.max_value}.", field.name)
    return number


def _field(addon: str, name: str, entry: Mapping[str, Any]) -> Field:
    read = _Reader(name, entry)
    kind = TYPES.get(read.text("type"))
    if kind is None:
        raise Invalid(
            f"Its field “{name[:60]}” is of the type “{read.text('type')[:60]}”, which "
            "Moonbase does not know. It has no form until then."
        )
    read.refuse_unknown(KEYS | RANGE if kind == FieldType.NUMBER else KEYS)
    variable = read.text("variable") or variable_of(addon, name)
    if not NAME.fullmatch(variable) or variable.startswith(RESERVED_PREFIX):
        raise Invalid(
            f"Its field “{name[:60]}” is for “{variable[:60]}”, which cannot be the name "
            "of a variable."
        )
    initial = read.default(kind)
    return Field(
        name=name,
        label=read.text("label") or read.fail("has no label"),
        type=kind,
        required=read.word("required", True) and kind != FieldType.CHECKBOX,
        help_text=read.text("helptext"),
        initial=initial,
        min_value=read.number("min"),
        max_value=read.number("max"),
        variable=variable,
        is_secret=kind == FieldType.TEXT and looks_secret(variable, str(initial or "")),
        is_read_only=read.word("readonly", False),
        visibility=read.choice("visibility", VISIBILITIES, Visibility.PUBLIC),
    )


class _Reader:
    """One field's entry, in which all values are text."""

    def __init__(self, name: str, entry: Mapping[str, Any]) -> None:
        self.name = name
        self.entry = entry

    def fail(self, problem: str) -> str:
        raise Invalid(f"Its field “{self.name[:60]}” {problem}.")

    def refuse_unknown(self, known: frozenset[str]) -> None:
        unknown = sorted(set(self.entry) - known)
        if unknown:
            self.fail(f"has the unknown key “{unknown[0][:60]}”")

    def text(self, key: str) -> str:
        value = self.entry.get(key, "")
        return value if isinstance(value, str) else self.fail(f"has no text as its {key}")

    def number(self, key: str) -> int | None:
        text = self.text(key).strip()
        if not text:
            return None
        if not _INTEGER.fullmatch(text):
            self.fail(f"has no whole number as its {key}")
        return int(text)

    def word(self, key: str, otherwise: bool) -> bool:
        text = self.text(key).strip().lower()
        if text and text not in YES | NO:
            self.fail(f"has neither yes nor no as its {key}")
        return text in YES if text else otherwise

    def choice(
        self, key: str, known: Mapping[str, Visibility], otherwise: Visibility
    ) -> Visibility:
        text = self.text(key).strip()
        if text and text not in known:
            self.fail(f"has a {key} that is none of {', '.join(known)}")
        return known[text] if text else otherwise

    def default(self, kind: FieldType) -> Value:
        readers: dict[FieldType, Callable[[], Value]] = {
            FieldType.NUMBER: lambda: self.number("default"),
            FieldType.CHECKBOX: lambda: self.word("default", False),
            FieldType.TEXT: lambda: self.text("default") or None,
        }
        return readers[kind]()


def initial_values(fields: Sequence[Field], variables: Mapping[str, str]) -> dict[str, Value]:
    """What the form shows: the variable's value where there is one, else the default. Of a secret
    it is whether there is one."""
    return {field.name: _initial(field, variables.get(field.variable)) for field in fields}


def _initial(field: Field, present: str | None) -> Value:
    if field.is_secret:
        return present is not None
    if present is None:
        return field.initial
    if field.type == FieldType.CHECKBOX:
        return present.strip().lower() in YES
    if field.type == FieldType.NUMBER:
        return int(present) if _INTEGER.fullmatch(present.strip()) else None
    return present
