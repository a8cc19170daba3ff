"""Packages with an `aldryn_config.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.adapters.sandbox.guest import forms, stand_ins
from app.adapters.sandbox.guest.asking import Asked, Refused
from app.adapters.sandbox.guest.loading import ask, load, traceback_of
from app.adapters.sandbox.guest.plain import LARGEST, as_setting, as_text

FILE = "aldryn_config.py"
TYPES: Mapping[object, str] = {
    "text": "text",
    "checkbox": "checkbox",
    "number": "number",
    "select": "select",
    "x-static-file": "file",
}
"""The type a field says it has, to the panel's."""
_NO = {"", "0", "false", "off", "no", "n", "f"}


def describe(asked: Asked) -> dict[str, Any]:
    """`info` (none: the package has an `addon.json`), `fields` as of `api.Field`, `warnings`.

    What the validator of the `divio` client does is done as well: an empty form is made and
    checked, and only an exception counts.
    """
    form_class = _form_class(asked.source)
    if form_class is None:
        return {"info": None, "fields": [], "warnings": [f"{FILE} has no “Form”: no settings."]}

    def read() -> tuple[list[dict[str, Any]], list[str]]:
        form = form_class({})
        form.is_valid()
        warnings: list[str] = []
        objects = dict(form._fields)
        return [
            _field(str(name), words, objects.get(name), warnings)
            for name, words in form.serialize()
        ], warnings

    fields, warnings = ask(read, "The form cannot be read", asked.source, FILE)
    again, _ = ask(read, "The form cannot be read a second time", asked.source, FILE)
    if again != fields:
        raise Refused("nonsense", "The form has other fields each time it is asked for.")
    return {"info": None, "fields": fields, "warnings": warnings}


def validate(asked: Asked) -> dict[str, Any]:
    """`settings` (cleaned), `errors` by field (`""`: the form) and `traceback` for the authors,
    for `payload["settings"]`."""
    form_class = _form_class(asked.source)
    if form_class is None:
        return {"settings": {}, "errors": {}, "traceback": ""}
    given = dict(asked.payload.get("settings") or {})
    try:
        form = form_class(_as_posted(given, dict(form_class._fields)))
        is_valid = form.is_valid()
        saved = form.save() if is_valid else {}
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is an error of the form
        sentence = "The addon could not check these values, because of a mistake in its own code."
        trace = traceback_of(error, asked.source, FILE)
        return {"settings": {}, "errors": {"": sentence}, "traceback": trace}
    if not is_valid:
        errors = {as_text(name): as_text(said) for name, said in dict(form.errors).items()}
        return {"settings": {}, "errors": errors, "traceback": ""}
    kept = saved if isinstance(saved, dict) else form.cleaned_data
    cleaned = {str(name): as_setting(str(name), value) for name, value in kept.items()}
    return {"settings": cleaned, "errors": {}, "traceback": ""}


def contribute(asked: Asked) -> dict[str, Any]:
    """Nothing: what such a package adds to a site, it adds when the site starts."""
    names = "variables requirements fragments release_commands services processes navigation files"
    return {name: [] for name in names.split()}


def _form_class(source: str) -> Any:
    stand_ins.install()
    return getattr(load(source, FILE), "Form", None)


def _as_posted(given: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the fields expect them: numbers as text, real booleans, text for lists. A name
    that is not there stays away: to these forms that is what “missing” means."""
    posted: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(fields.get(name), forms.CheckboxField):
            word = value.strip().lower() if isinstance(value, str) else value
            posted[name] = word not in _NO if isinstance(word, str) else bool(word)
        elif isinstance(value, list):
            posted[name] = ", ".join(str(item) for item in value)
        else:
            posted[name] = None if value is None else str(value)
    return posted


def _field(name: str, words: Mapping[str, Any], field: Any, warnings: list[str]) -> dict[str, Any]:
    kind = words.get("field_type")
    if kind not in TYPES:
        warnings.append(f"“{name}” is of an unknown type and shown as text.")
    label = words.get("label")
    described = {
        "name": name,
        "label": name if label is None else as_text(label),
        "type": TYPES.get(kind, "text"),
        "required": bool(words.get("required")),
        "help_text": as_text(words.get("help_text")),
        "initial": _initial(name, words.get("initial"), warnings),
        "choices": _choices(name, words.get("choices"), warnings),
        "extensions": [as_text(item) for item in words.get("extensions") or ()],
    }
    limits = {
        "min_length": words.get("min_length") or None,  # 0 is no limit
        "max_length": words.get("max_length") or None,
        "min_value": getattr(field, "min_value", None),
        "max_value": getattr(field, "max_value", None),
    }
    for limit, value in limits.items():
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_number and -LARGEST <= value < LARGEST):
            warnings.append(f"“{limit}” of “{name}” is not a whole number and is not shown.")
            value = None
        described[limit] = value
    return described


def _initial(name: str, value: Any, warnings: list[str]) -> Any:
    try:
        return as_setting(name, value)
    except Refused:
        warnings.append(f"The initial value of “{name}” cannot be kept as a setting; it is text.")
        return as_text(value)


def _choices(name: str, given: Any, warnings: list[str]) -> list[list[str]]:
    """Pairs of key and label; what is none becomes one, groups are taken apart."""
    pairs: list[list[str]] = []
    for choice in (given() if callable(given) else given) or ():
        if isinstance(choice, tuple | list) and len(choice) == 2:
            key, label = choice
            if isinstance(label, tuple | list):
                pairs += _choices(name, label, warnings)
            else:
                pairs.append([as_text(key), as_text(label)])
        else:
            warnings.append(f"A choice of “{name}” is not a pair of key and label.")
            pairs.append([as_text(choice), as_text(choice)])
    return pairs
