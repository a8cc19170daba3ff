"""The form people fill in, made from the description that was stored when a version was uploaded:
showing it asks no addon anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import nh3
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import Optional, ValidationError
from wtforms.widgets import TextArea

from app.addons import api
from app.web.forms import PanelForm

FILES_OFFERED = 1000
"""Of a repository with more, people are shown the first of them by name."""
LARGEST_NUMBER = 2**53
"""Beyond it readers of JSON do not agree on which number was written (RFC 8259, section 6)."""
HELP_TAGS = {"a", "b", "br", "code", "em", "i", "li", "ol", "p", "strong", "ul"}
TRUE_WORDS = frozenset({"true", "1", "on", "yes", "y", "yeah", "yep"})
"""What site's code reads as true in a text (addon contract, section 4)."""
# What no answer of an addon may hold either (`app.addons.answers`): told before it is asked.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One field as the page shows it."""

    field: api.Field
    input: Field
    remove: BooleanField | None = None
    """Of a secret that is set: the tick that removes it."""
    is_set: bool = False


class SettingsForm(PanelForm):
    """Base of the forms made by `build_form`; fields of the addon are called `setting-<name>`."""

    seen = HiddenField()
    """The newest change of the addon that the person has seen."""
    described: tuple[api.Field, ...] = ()
    stored: Mapping[str, api.Value] = {}
    secrets_set: frozenset[str] = frozenset()

    def entries(self, visibility: str) -> list[Entry]:
        """The fields for whom `visibility` says (`public`, `advanced`, `dangerous`), in order."""
        return [
            Entry(
                field,
                self._fields[input_name(field)],
                self._fields.get(removal_name(field)),
                field.name in self.secrets_set,
            )
            for field in self.described
            if field.visibility == visibility
        ]

    @property
    def is_secret_asked(self) -> bool:
        return any(field.is_secret for field in self.described)

    def settings(self) -> dict[str, api.Value]:
        """What was entered, by field. A field that is read only keeps its value; of a secret it is
        whether it will be set."""
        secrets = self.secrets()
        found: dict[str, api.Value] = {}
        for field in self.described:
            if field.is_secret:
                is_set = field.name in self.secrets_set
                found[field.name] = secrets.get(field.name, is_set and "x") not in (None, False)
            elif field.is_read_only:
                found[field.name] = self.stored.get(field.name, field.initial)
            else:
                value = value_of(field, self._fields[input_name(field)].data)
                was = self.stored.get(field.name)
                # Nothing was there and nothing was entered: that is no change.
                found[field.name] = was if value in ("", None) and was in ("", None) else value
        return found

    def secrets(self) -> dict[str, str | None]:
        """Secrets to replace, by field; None removes one. Those to be kept are not in it."""
        found: dict[str, str | None] = {}
        for field in self.described:
            if not field.is_secret or field.is_read_only:
                continue
            removal = self._fields.get(removal_name(field))
            if typed := self._fields[input_name(field)].data:
                found[field.name] = typed
            elif removal is not None and removal.data:
                found[field.name] = None
        return found

    def put(self, errors: Mapping[str, str]) -> None:
        """Show each sentence beside its field; those of no field above the form."""
        names = {field.name: input_name(field) for field in self.described}
        for name, sentence in errors.items():
            place = self._fields.get(names.get(name, ""))
            if place is None:
                self.form_errors.append(sentence)
            else:
                place.errors = [*place.errors, sentence]

    @property
    def has_errors(self) -> bool:
        return bool(self.errors or self.form_errors)


def input_name(field: api.Field) -> str:
    """A prefix keeps a field called `data` or `csrf_token` from being something else."""
    return f"setting-{field.name}"


def removal_name(field: api.Field) -> str:
    return f"remove-{field.name}"


def build_form(
    fields: Sequence[api.Field],
    settings: Mapping[str, api.Value],
    secrets_set: frozenset[str] = frozenset(),
    files: Sequence[str] = (),
) -> SettingsForm:
    """The form for `fields`, filled with `settings`, or with initial values where they have none,
    or with what the person has just sent.

    `secrets_set` names the secrets that have a value, which the form never holds; `files` are the
    paths that `FILE` fields offer.
    """
    inputs: dict[str, Any] = {
        "described": tuple(fields),
        "stored": dict(settings),
        "secrets_set": secrets_set,
    }
    filled: dict[str, Any] = {}
    for field in fields:
        value = settings.get(field.name, field.initial)
        inputs[input_name(field)] = _input(field, value, files)
        filled[input_name(field)] = None if field.is_secret else shown_value(field, value)
        if field.is_secret and field.name in secrets_set and not field.is_read_only:
            inputs[removal_name(field)] = BooleanField(_l("Remove it"))
    made: type[SettingsForm] = type("AddonForm", (SettingsForm,), inputs)
    form = made(**filled)
    for field in fields:
        if field.is_read_only:  # whatever was sent
            form[input_name(field)].data = filled[input_name(field)]
    return form


def shown_value(field: api.Field, value: api.Value) -> str | int | bool | None:
    """A stored value as the field shows it: real sites hold lists where a text was entered, and
    texts where a number was (addon contract, sections 2 and 6)."""
    if field.type == api.FieldType.CHECKBOX:
        return value.lower() in TRUE_WORDS if isinstance(value, str) else bool(value)
    if field.type == api.FieldType.NUMBER:
        is_number = isinstance(value, str) and value.isdecimal() and len(value) < 20
        if isinstance(value, int) or is_number:
            return int(cast(str, value))
        return None
    if isinstance(value, list):
        return ", ".join(map(str, value))  # written by hand, it may list anything
    return "" if value is None else str(value)


def value_of(field: api.Field, data: Any) -> api.Value:
    """What a field's input holds, as a setting."""
    if field.type == api.FieldType.CHECKBOX:
        return bool(data)
    if field.type == api.FieldType.NUMBER:
        return cast(int | None, data)
    if field.type in (api.FieldType.SELECT, api.FieldType.FILE) and not data:
        return "" if any(key == "" for key, word in field.choices) else None
    return data or ""


def help_of(field: api.Field) -> Markup:
    """The author's help with links and emphasis, and nothing that acts."""
    if not field.help_text:
        return Markup()
    cleaned = nh3.clean(
        field.help_text,
        tags=HELP_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(cleaned)  # noqa: S704 - cleaned one line above


def _input(field: api.Field, value: api.Value, files: Sequence[str]) -> Field:
    """The WTForms field; its label is escaped where it is shown."""
    attributes = _attributes(field)
    label, hint = _label(field), help_of(field)
    if field.is_secret:
        attributes |= {"autocomplete": "new-password", "spellcheck": "false"}
        kind = SecretArea if field.type == api.FieldType.LONG_TEXT else PasswordField
        return kind(label, [_keepable], [_with_line_feeds], description=hint, render_kw=attributes)
    if field.type == api.FieldType.CHECKBOX:
        return BooleanField(label, description=hint, render_kw=attributes)
    if field.type == api.FieldType.NUMBER:
        checks = [Optional(), _keepable]
        return Number(label, checks, description=hint, render_kw=attributes)
    if field.type in (api.FieldType.SELECT, api.FieldType.FILE):
        choices = _choices(field, str(shown_value(field, value)), files)
        checks = [Optional()] if field.is_read_only else []
        return Choice(label, checks, choices=choices, description=hint, render_kw=attributes)
    kind = TextAreaField if field.type == api.FieldType.LONG_TEXT else StringField
    return kind(label, [_keepable], [_with_line_feeds], description=hint, render_kw=attributes)


def _label(field: api.Field) -> str:
    label = field.label or field.name
    is_asked = not (field.required or field.is_secret or field.is_read_only)
    if is_asked and field.type != api.FieldType.CHECKBOX:
        return str(_("%(label)s (optional)", label=label))
    return label


def _attributes(field: api.Field) -> dict[str, Any]:
    """What the browser may help with. Nothing is required by the browser: real packages take an
    empty text for a required field, so that they alone decide."""
    found: dict[str, Any] = {}
    if field.type == api.FieldType.LONG_TEXT:
        found["rows"] = 5
    if field.type == api.FieldType.NUMBER:
        found |= {"min": field.min_value, "max": field.max_value, "class": "form-control-number"}
    if field.is_read_only:
        is_text = field.type in (api.FieldType.TEXT, api.FieldType.LONG_TEXT, api.FieldType.NUMBER)
        found["readonly" if is_text else "disabled"] = True
    return {name: value for name, value in found.items() if value is not None}


def _choices(field: api.Field, value: str, files: Sequence[str]) -> list[tuple[str, str]]:
    """What can be chosen; what is stored stays, even if it is not offered any more."""
    if field.type == api.FieldType.FILE:
        offered = [(path, path) for path in files if _fits(path, field.extensions)]
        found = [("", _("No file")), *offered[:FILES_OFFERED]]
    else:
        found = list(field.choices)
        if not any(key == "" for key, word in found) and (not field.required or not value):
            found.insert(0, ("", _("Nothing chosen")))
    if not any(key == value for key, word in found):
        found.append((value, _("%(value)s (not offered any more)", value=value)))
    return found


def _fits(path: str, extensions: Sequence[str]) -> bool:
    """The case counts, and extensions have no dot (addon contract, section 2)."""
    return not extensions or path.rsplit(".", 1)[-1] in extensions


def _with_line_feeds(text: str | None) -> str | None:
    """Browsers send each line break of a text area as CR LF (HTML, "form entry list")."""
    return text.replace("\r\n", "\n") if text else text


def _keepable(form: PanelForm, field: Field) -> None:
    """What neither Git nor the database can keep."""
    if isinstance(field.data, str) and _CONTROL.search(field.data):
        raise ValidationError(_("There is a character in it that cannot be kept."))
    if isinstance(field.data, int) and abs(field.data) > LARGEST_NUMBER:
        raise ValidationError(_("This number is too large."))


class Number(IntegerField):
    """A whole number."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(_("Enter a whole number.")) from error


class Choice(SelectField):
    """One of several."""

    def pre_validate(self, form: PanelForm) -> None:
        try:
            super().pre_validate(form)
        except ValidationError as error:
            if self.render_kw.get("disabled"):
                return
            raise ValidationError(_("Choose one of those offered.")) from error


class SecretArea(TextAreaField):
    """Several lines that the page takes but never shows."""

    class EmptyArea(TextArea):
        def __call__(self, field: Field, **kwargs: Any) -> Markup:
            field.data, kept = "", field.data
            try:
                return cast(Markup, super().__call__(field, **kwargs))
            finally:
                field.data = kept

    widget = EmptyArea()
