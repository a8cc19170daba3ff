"""The base of all forms, and putting a refusal beside the field it belongs to."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from babel.support import Translations
from flask_babel import get_locale
from flask_wtf import FlaskForm
from wtforms import Form
from wtforms.i18n import messages_path

from app.errors import Invalid


class PanelForm(FlaskForm):
    """A form with CSRF protection whose fields can take the sentence of an operation."""

    class Meta(FlaskForm.Meta):
        """Flask-WTF reads the words of its own sentences anew for each form."""

        def get_translations(self, form: Form) -> Translations:
            return _translations(str(get_locale()))

    def __init__(self, obj: object = None, **data: Any) -> None:
        """`obj` or `data` fill the fields unless the person has just sent the form."""
        super().__init__(obj=obj, **data)

    def validate_on_submit(self, extra_validators: object = None) -> bool:
        """Whether the form was sent and every field took what was entered."""
        return bool(super().validate_on_submit(extra_validators))

    def refuse(self, error: Invalid) -> None:
        """Show `error` beside its field, or above the form when it names none."""
        field = self._fields.get(error.field or "")
        if field is None:
            self.form_errors.append(error.sentence)
        else:
            field.errors = [*field.errors, error.sentence]


@cache
def _translations(locale: str) -> Translations:
    return cast(Translations, Translations.load(messages_path(), [locale], domain="wtforms"))
