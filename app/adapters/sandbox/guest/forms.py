"""The forms of `aldryn_client`: same names, same arguments, same behaviour, quirks included.

What published packages rely on is listed in the contract of Aldryn addons; every quirk has a test
in `tests/addons/test_quirks.py`. The module is found as `aldryn_client.forms`.
"""

from __future__ import annotations

from typing import Any, ClassVar

VALID_FIELD_TYPES = ["text", "checkbox", "number", "select", "x-static-file"]
REQUIRED = "This field is required"


class ValidationError(Exception):
    """What is wrong with a value. Takes the sentence, and nothing else."""

    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.message = message


class BaseField:
    """A field. Fields are shown in the order in which they were made."""

    field_type: str | None = None
    _order_counter = 0
    _serialized: ClassVar[tuple[str, ...]] = ("label", "required", "help_text", "initial")
    """The attributes that describe the field to a panel."""

    def __init__(
        self, label: Any, required: Any = True, help_text: Any = None, initial: Any = None
    ) -> None:
        self.label, self.required = label, required
        self.help_text, self.initial = help_text, initial
        self._order_counter = BaseField._order_counter
        BaseField._order_counter = self._order_counter + 1

    def clean(self, value: Any) -> Any:
        """The value as it is kept."""
        return value

    def serialize(self) -> dict[str, Any]:
        """The field as JSON."""
        words = {name: getattr(self, name) for name in self._serialized}
        return {"field_type": self.field_type, **words}


class CharField(BaseField):
    """Text. A limit of 0 is none; what has a length passes, be it text or not."""

    field_type = "text"
    _serialized = (*BaseField._serialized, "min_length", "max_length")

    def __init__(
        self,
        label: Any,
        min_length: Any = None,
        max_length: Any = None,
        required: Any = True,
        **others: Any,
    ) -> None:
        super().__init__(label, required, **others)
        self.min_length, self.max_length = min_length, max_length

    def clean(self, value: Any) -> Any:
        text = value or ""
        count = len(text)
        if self.min_length and count < self.min_length:
            raise ValidationError(
                f"It needs at least {self.min_length} characters and has {count}."
            )
        if self.max_length and count > self.max_length:
            raise ValidationError(f"It may have {self.max_length} characters and has {count}.")
        return text


class CheckboxField(BaseField):
    """Yes or no; any text that is not empty is a yes."""

    field_type = "checkbox"

    def clean(self, value: Any) -> Any:
        return bool(value)


class SelectField(BaseField):
    """One of several. That it is one of them is not checked."""

    field_type = "select"
    _serialized = (*BaseField._serialized, "choices")

    def __init__(self, label: Any, choices: Any, required: Any = True, **others: Any) -> None:
        super().__init__(label, required, **others)
        self.choices = choices


class NumberField(BaseField):
    """A whole number from 0, given as text. Its limits are not part of its description."""

    field_type = "number"

    def __init__(
        self,
        label: Any,
        min_value: Any = None,
        max_value: Any = None,
        required: Any = True,
        **others: Any,
    ) -> None:
        super().__init__(label, required, **others)
        self.min_value, self.max_value = min_value, max_value

    def clean(self, value: Any) -> Any:
        if not value:
            return value
        if not value.isdigit():
            raise ValidationError(f"“{value}” is not a whole number.")
        number = int(value)
        if self.min_value is not None and number < self.min_value:
            raise ValidationError(f"It may not be smaller than {self.min_value}.")
        if self.max_value is not None and number > self.max_value:
            raise ValidationError(f"It may not be bigger than {self.max_value}.")
        return number


class StaticFileField(BaseField):
    """The path of a file of the site. Endings are compared as they are written, without a dot."""

    field_type = "x-static-file"
    _serialized = (*BaseField._serialized, "extensions")

    def __init__(
        self, label: Any, extensions: Any = None, required: Any = True, **others: Any
    ) -> None:
        super().__init__(label, required, **others)
        self.extensions = extensions

    def clean(self, value: Any) -> Any:
        if value and self.extensions is not None:
            stem, dot, ending = value.rpartition("/")[2].rpartition(".")
            if (ending if dot and stem else "") not in self.extensions:
                raise ValidationError("Files of this kind cannot be chosen here.")
        return value


class BaseForm:
    """A form. Only the fields of a class's own body are its fields: inherited ones are not."""

    _fields: ClassVar[list[tuple[str, BaseField]]] = []

    def __init_subclass__(cls, **others: Any) -> None:
        super().__init_subclass__(**others)
        own = [(name, field) for name, field in vars(cls).items() if isinstance(field, BaseField)]
        cls._fields = sorted(own, key=lambda pair: pair[1]._order_counter)

    def __init__(self, data: Any = None) -> None:
        self.data = data or {}

    def serialize(self) -> list[tuple[str, dict[str, Any]]]:
        """Names and descriptions of the fields, in order."""
        return [(name, field.serialize()) for name, field in self._fields]

    def is_valid(self) -> bool:
        """Check `data`. What `clean` gives back is not looked at: it changes `cleaned_data`."""
        self.errors: dict[Any, Any] = {}
        self.cleaned_data: dict[str, Any] = {}
        try:
            self.clean()
        except ValidationError as error:
            self.errors[None] = error.message
        return not self.errors

    def clean(self) -> Any:
        """Check each field. “Required” means that the name is there: an empty text passes."""
        for name, field in self._fields:
            value = self.data.get(name)
            if value is None and field.required:
                self.errors[name] = REQUIRED
                continue
            try:
                self.cleaned_data[name] = field.clean(value)
            except ValidationError as error:
                self.errors[name] = error.message
        return self.cleaned_data

    def to_settings(self, data: Any, settings: Any) -> Any:
        """What the site makes of the settings when it starts. Never called by the panel."""
        return settings

    def save(self) -> Any:
        """The settings to keep."""
        return self.cleaned_data
