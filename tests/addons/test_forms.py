"""The generated form: what it shows of a stored description, and what it takes."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.addons.api import Field, FieldType, Visibility
from app.addons.forms import SettingsForm, build_form, help_of, shown_value, value_of

NUMBER = Field("days", "Days", FieldType.NUMBER, min_value=1, max_value=7)
TICK = Field("shown", "Shown", FieldType.CHECKBOX)
CHOICE = Field("style", "Style", FieldType.SELECT, choices=(("a", "A"), ("b", "B")))
SECRET = Field("key", "Key", variable="KEY", is_secret=True)
FIXED = Field("build", "Build", initial="fixed", is_read_only=True)


def filled(
    app: Flask, fields: tuple[Field, ...], sent: dict[str, str], **known: Any
) -> SettingsForm:
    """The form after `sent` came by POST."""
    app.config["WTF_CSRF_ENABLED"] = False
    with app.test_request_context(method="POST", data=sent):
        form = build_form(fields, known.pop("settings", {}), **known)
        form.validate()
        return form


def shown(app: Flask, fields: tuple[Field, ...], settings: dict[str, Any], **known: Any) -> str:
    """The inputs as HTML."""
    with app.test_request_context():
        form = build_form(fields, settings, **known)
        return "".join(
            str(part)
            for visibility in Visibility
            for entry in form.entries(visibility)
            for part in (entry.input.label, entry.input.description, entry.input())
        )


def test_it_shows_what_is_stored_and_initial_values_for_the_rest(app: Flask) -> None:
    field = Field("title", "Title", initial="Hello")
    assert 'value="Hello"' in shown(app, (field,), {})
    assert 'value=""' in shown(app, (field,), {"title": ""})
    html = shown(app, (NUMBER, TICK, CHOICE), {"days": 3, "shown": True, "style": "b"})
    assert 'value="3"' in html and "checked" in html and 'selected value="b"' in html
    assert 'min="1"' in html and 'max="7"' in html


@pytest.mark.parametrize(
    ("field", "stored", "expected"),
    [
        (Field("x", "X"), ["a", "b"], "a, b"),  # a text that an addon made a list of
        (Field("x", "X"), None, ""),
        (Field("x", "X"), 5, "5"),
        (NUMBER, "", None),  # numbers are kept as "" by real sites
        (NUMBER, "12", 12),
        (NUMBER, "twelve", None),
        (TICK, "false", False),
        (TICK, "yes", True),
        (TICK, None, False),
    ],
)
def test_values_of_real_sites_are_shown(field: Field, stored: Any, expected: Any) -> None:
    value = shown_value(field, stored)
    assert value == expected and type(value) is type(expected)


def test_it_gives_numbers_ticks_and_texts(app: Flask) -> None:
    fields = (Field("title", "Title"), NUMBER, TICK, CHOICE)
    form = filled(
        app, fields, {"setting-title": "A\r\nB", "setting-days": "3", "setting-style": "a"}
    )
    assert form.settings() == {"title": "A\nB", "days": 3, "shown": False, "style": "a"}
    assert not form.has_errors
    assert value_of(CHOICE, "") is None


@pytest.mark.parametrize(
    ("field", "sent", "sentence"),
    [
        (NUMBER, "three", "Enter a whole number."),
        (NUMBER, "9" * 5000, "Enter a whole number."),
        (NUMBER, "9" * 30, "This number is too large."),
        (CHOICE, "c", "Choose one of those offered."),
        (Field("x", "X"), "a\0b", "cannot be kept"),
    ],
)
def test_what_cannot_be_used_is_said_at_its_field(
    app: Flask, field: Field, sent: str, sentence: str
) -> None:
    form = filled(app, (field,), {f"setting-{field.name}": sent})
    assert form.has_errors
    assert sentence in " ".join(form.errors[f"setting-{field.name}"])


def test_an_empty_field_that_was_never_filled_is_no_change(app: Flask) -> None:
    fields = (Field("a", "A", required=False), Field("b", "B", required=False))
    form = filled(app, fields, {"setting-a": "", "setting-b": ""}, settings={"a": None})
    assert form.settings() == {"a": None, "b": None}
    form = filled(app, fields, {"setting-a": ""}, settings={"a": "was", "b": ""})
    assert form.settings() == {"a": "", "b": ""}


def test_a_secret_is_never_shown(app: Flask) -> None:
    for kind in (FieldType.TEXT, FieldType.LONG_TEXT, FieldType.NUMBER):
        field = Field("key", "Key", kind, variable="KEY", is_secret=True, initial="hush")
        assert "hush" not in shown(app, (field,), {"key": "hush"})
        with app.test_request_context(method="POST", data={"setting-key": "typed"}):
            form = build_form((field,), {}, frozenset({"key"}))
            form.validate()
            assert "typed" not in str(form["setting-key"]())
            assert form.secrets() == {"key": "typed"}


@pytest.mark.parametrize(
    ("sent", "is_set", "secrets", "setting"),
    [
        ({}, True, {}, True),
        ({}, False, {}, False),
        ({"setting-key": "new"}, False, {"key": "new"}, True),
        ({"setting-key": "new", "remove-key": "y"}, True, {"key": "new"}, True),
        ({"remove-key": "y"}, True, {"key": None}, False),
        ({"remove-key": "y"}, False, {}, False),
    ],
)
def test_a_secret_is_kept_replaced_or_removed(
    app: Flask,
    sent: dict[str, str],
    is_set: bool,
    secrets: dict[str, str | None],
    setting: bool,
) -> None:
    form = filled(app, (SECRET,), sent, secrets_set=frozenset({"key"} if is_set else ()))
    assert form.secrets() == secrets
    assert form.settings() == {"key": setting}


def test_what_is_read_only_keeps_its_value_whatever_is_sent(app: Flask) -> None:
    tick = Field("t", "T", FieldType.CHECKBOX, is_read_only=True, initial=True)
    choice = Field(
        "c", "C", FieldType.SELECT, choices=(("a", "A"),), is_read_only=True, initial="a"
    )
    fields = (FIXED, tick, choice)
    form = filled(app, fields, {"setting-build": "mine", "setting-c": "zzz"})
    assert form.settings() == {"build": "fixed", "t": True, "c": "a"}
    assert not form.has_errors
    assert form["setting-build"].data == "fixed" and form["setting-t"].data is True
    html = shown(app, fields, {})
    assert "readonly" in html and "disabled" in html


def test_a_field_may_be_called_like_a_part_of_the_form(app: Flask) -> None:
    names = ("data", "errors", "csrf_token", "validate", "seen", "form_errors", "_x")
    form = filled(
        app, tuple(Field(name, name) for name in names), {f"setting-{n}": n for n in names}
    )
    assert form.settings() == {name: name for name in names}


def test_a_choice_that_is_not_offered_any_more_stays(app: Flask) -> None:
    html = shown(app, (CHOICE,), {"style": "old"})
    assert "old (not offered any more)" in html
    form = filled(app, (CHOICE,), {"setting-style": "old"}, settings={"style": "old"})
    assert form.settings() == {"style": "old"} and not form.has_errors


def test_files_are_those_of_the_site_with_the_right_ending(app: Flask) -> None:
    field = Field("logo", "Logo", FieldType.FILE, required=False, extensions=("svg",))
    files = ("static/a.svg", "static/b.SVG", "static/c.png")
    html = shown(app, (field,), {}, files=files)
    assert "static/a.svg" in html and "c.png" not in html and "b.SVG" not in html
    form = filled(app, (field,), {"setting-logo": "/etc/passwd"}, files=files)
    assert form.has_errors
    assert filled(app, (field,), {"setting-logo": ""}, files=files).settings() == {"logo": None}


def test_help_keeps_links_and_nothing_that_acts() -> None:
    text = (
        'See <a href="https://example.com/x" onclick="steal()">this</a>'
        '<a href="javascript:steal()">that</a><script>steal()</script>'
        '<img src=x onerror=steal()><b style="color:red">bold</b>'
    )
    cleaned = str(help_of(Field("x", "X", help_text=text)))
    assert 'href="https://example.com/x"' in cleaned and "<b>bold</b>" in cleaned
    for word in ("steal", "script", "img", "style", "onclick"):
        assert word not in cleaned


def test_labels_choices_and_values_are_text(app: Flask) -> None:
    bad = "<script>x</script>"
    fields = (
        Field("a", bad, initial=bad),
        Field("b", "B", FieldType.LONG_TEXT, initial=bad),
        Field("c", "C", FieldType.SELECT, initial=bad, choices=((bad, bad),)),
        Field('d" onfocus="x', "D", FieldType.CHECKBOX),
    )
    html = shown(app, fields, {})
    assert "<script" not in html and 'onfocus="x"' not in html and "&lt;script&gt;" in html
