"""Each field's own limits, checked in the panel before the addon is asked: type, required, length,
range, choices, endings. What a value means together with others, the addon alone can say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.addons import api
from app.addons.models import PackageKind

TEXT_LENGTH = 20_000
"""Characters of a value whose field names no limit."""


def check_settings(
    kind: PackageKind, fields: Sequence[api.Field], settings: Mapping[str, api.Value]
) -> dict[str, str]:
    """Sentences by the name of the field; empty when all can be used.

    Names that no field has are left alone: sites hold settings of earlier versions.
    """
    found = {
        field.name: check_value(kind, field, settings.get(field.name))
        for field in fields
        if not field.is_read_only
    }
    return {name: sentence for name, sentence in found.items() if sentence}


def check_value(kind: PackageKind, field: api.Field, value: api.Value) -> str:
    """What is wrong with one value, or nothing. Of a secret, `value` may be its text, or whether
    it is set."""
    if _is_missing(kind, field, value):
        return "This field is required." if field.required else ""
    if value in (None, "") or (field.is_secret and isinstance(value, bool)):
        return ""
    match field.type:
        case api.FieldType.CHECKBOX:
            return "" if isinstance(value, bool) else "This is yes or no."
        case api.FieldType.NUMBER:
            return _check_number(field, value)
        case api.FieldType.SELECT:
            return _check_choice(field, value)
        case api.FieldType.FILE:
            return _check_file(kind, field, value)
        case _:
            return _check_text(field, value)


def _is_missing(kind: PackageKind, field: api.Field, value: api.Value) -> bool:
    """To `aldryn` forms only what is not there is missing: an empty text passes a required field
    (addon contract, section 2)."""
    if field.is_secret:
        return value in (None, "", False)
    return value is None or (value == "" and kind != PackageKind.ALDRYN)


def _check_text(field: api.Field, value: api.Value) -> str:
    """A list is what some addons make of a text; its length is its author's affair."""
    if isinstance(value, list):
        return ""
    if not isinstance(value, str):
        return "This is a text."
    count, limit = len(value), field.max_length or TEXT_LENGTH
    if count > limit:
        return f"This may have at most {limit} characters, and has {count}."
    if field.min_length and count < field.min_length:
        return f"This needs at least {field.min_length} characters, and has {count}."
    return ""


def _check_number(field: api.Field, value: api.Value) -> str:
    """A whole number, or its digits, as real sites hold them too."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return "This is a whole number."
    if field.min_value is not None and value < field.min_value:
        return f"This may not be smaller than {field.min_value}."
    if field.max_value is not None and value > field.max_value:
        return f"This may not be larger than {field.max_value}."
    return ""


def _check_choice(field: api.Field, value: api.Value) -> str:
    if any(str(value) == key for key, _label in field.choices):
        return ""
    return "Choose one of those that are offered."


def _check_file(kind: PackageKind, field: api.Field, value: api.Value) -> str:
    """Endings without their dot; those of `aldryn` forms as they are written."""
    if not isinstance(value, str):
        return "This is the path of a file."
    ending = value.rpartition("/")[2].rpartition(".")[2]
    allowed = [one.removeprefix(".") for one in field.extensions]
    if kind != PackageKind.ALDRYN:
        ending, allowed = ending.lower(), [one.lower() for one in allowed]
    if field.extensions and ending not in allowed:
        return f"Choose a file that ends in one of these: {', '.join(allowed)}."
    return ""
