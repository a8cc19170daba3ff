"""A field's own limits, before any addon is asked."""

from __future__ import annotations

from typing import Any

import pytest

from app.addons import api
from app.addons.models import PackageKind
from app.addons.settings_check import check_settings, check_value

PLUGIN, ALDRYN = PackageKind.PLUGIN, PackageKind.ALDRYN
TEXT, NUMBER, SELECT = api.FieldType.TEXT, api.FieldType.NUMBER, api.FieldType.SELECT
CHECKBOX, FILE = api.FieldType.CHECKBOX, api.FieldType.FILE
SIZES = (("s", "Small"), ("l", "Large"))


def field(**words: Any) -> api.Field:
    return api.Field("it", "It", **words)


@pytest.mark.parametrize(
    ("kind", "described", "value", "said"),
    [
        (PLUGIN, field(), "x", ""),
        (PLUGIN, field(), "", "required"),
        (ALDRYN, field(), "", ""),  # quirk: an empty text passes a required field
        (ALDRYN, field(), None, "required"),
        (PLUGIN, field(required=False), None, ""),
        (PLUGIN, field(), 5, "text"),
        (PLUGIN, field(max_length=3), "four", "at most 3"),
        (PLUGIN, field(min_length=3), "no", "at least 3"),
        (PLUGIN, field(min_length=3, required=False), "", ""),
        (PLUGIN, field(), "x" * 20_001, "at most 20000"),
        (ALDRYN, field(max_length=0), "x", ""),  # quirk: a limit of 0 is none
        (ALDRYN, field(max_length=3), ["a", "b", "c", "d"], ""),  # quirk: some texts become lists
        (PLUGIN, field(type=NUMBER), 5, ""),
        (PLUGIN, field(type=NUMBER), "5", ""),
        (PLUGIN, field(type=NUMBER), True, "whole number"),
        (PLUGIN, field(type=NUMBER), "5.5", "whole number"),
        (PLUGIN, field(type=NUMBER), "9" * 5000, "whole number"),
        (PLUGIN, field(type=NUMBER, min_value=0), -1, "smaller than 0"),
        (PLUGIN, field(type=NUMBER, max_value=0), 1, "larger than 0"),
        (PLUGIN, field(type=SELECT, choices=SIZES), "l", ""),
        (PLUGIN, field(type=SELECT, choices=SIZES), "xl", "offered"),
        (PLUGIN, field(type=CHECKBOX), False, ""),
        (PLUGIN, field(type=CHECKBOX), "false", "yes or no"),
        (PLUGIN, field(type=FILE, extensions=(".png", "jpg")), "static/a.PNG", ""),
        (ALDRYN, field(type=FILE, extensions=("png",)), "static/a.PNG", "one of these: png"),
        (PLUGIN, field(type=FILE, extensions=("png",)), "png/a.txt", "one of these: png"),
        (PLUGIN, field(type=FILE), 5, "path"),
        (PLUGIN, field(is_secret=True, variable="S"), True, ""),
        (PLUGIN, field(is_secret=True, variable="S"), False, "required"),
        (PLUGIN, field(is_secret=True, variable="S", min_length=8), "short", "at least 8"),
        (PLUGIN, field(is_secret=True, variable="S", required=False), False, ""),
    ],
)
def test_one_value(kind: PackageKind, described: api.Field, value: api.Value, said: str) -> None:
    sentence = check_value(kind, described, value)
    assert said in sentence and bool(said) == bool(sentence)


def test_only_fields_of_the_form_are_looked_at() -> None:
    fields = (api.Field("a", "A"), api.Field("b", "B", is_read_only=True))
    assert check_settings(PLUGIN, fields, {"a": "x", "old": 1.5}) == {}  # type: ignore[dict-item]
    assert set(check_settings(PLUGIN, fields, {})) == {"a"}
