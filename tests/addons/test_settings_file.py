"""`settings.py` and `settings.json`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.project import sections, settings_file, settings_json
from app.addons.project.settings_file import change, listed_names, names_by_hand
from app.errors import Invalid

TEMPLATE = b"""\
# -*- coding: utf-8 -*-

INSTALLED_ADDONS = [
    # <INSTALLED_ADDONS>  # Warning: text inside the INSTALLED_ADDONS tags is auto-generated.
    'aldryn-addons',
    'aldryn-django',
    # </INSTALLED_ADDONS>
]

import aldryn_addons.settings
aldryn_addons.settings.load(locals())

INSTALLED_APPS.extend([
    # add your project specific apps here
])
"""
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)


class TestInstalledAddons:
    def test_system_addons_first_then_the_alphabet(self) -> None:
        added = "djangocms-text-ckeditor aldryn-devsync aldryn-sso django-filer aldryn-django-cms"
        content = change(TEMPLATE, added=added.split())
        assert listed_names(content) == [
            "aldryn-addons",
            "aldryn-django",
            "aldryn-sso",
            "aldryn-django-cms",
            "aldryn-devsync",
            "django-filer",
            "djangocms-text-ckeditor",
        ]
        assert b"\n    'django-filer',\n    'djangocms-text-ckeditor',\n    # </" in content

    def test_removed_names_go_and_the_rest_is_as_before(self) -> None:
        content = change(change(TEMPLATE, added=["x"]), added=[], removed=["x"])
        assert content == TEMPLATE

    def test_quotes_follow_the_file(self) -> None:
        content = TEMPLATE.replace(b"import ald", b'A = "a"\nB = "b"\nimport ald')
        assert b'    "x",\n' in change(content, added=["x"])
        assert b"    'x',\n" in change(TEMPLATE, added=["x"])

    def test_what_the_panel_wrote_does_not_decide_about_quotes(self) -> None:
        content = TEMPLATE.replace(b"import ald", b'A = "a"\nimport ald')
        many = change(content, added=["a", "b", "c"])
        assert b"'" not in many.split(b"# <INST")[1].split(b"# </")[0]
        assert change(many, added=[]) == many

    def test_names_by_hand_are_not_repeated(self) -> None:
        content = TEMPLATE.replace(
            b"    # </INSTALLED_ADDONS>\n",
            b"    # </INSTALLED_ADDONS>\n    'by-hand',  # 'not-this'\n",
        )
        assert names_by_hand(content) == ["by-hand"]
        assert change(content, added=["by-hand"]) == content
        assert "aldryn-django" not in names_by_hand(content)

    def test_strings_behind_the_list_are_no_names(self) -> None:
        content = TEMPLATE + b"LANGUAGE_CODE = 'x'\n"
        assert b"    'x',\n" in change(content, added=["x"])

    def test_several_names_on_a_line_are_not_lost(self) -> None:
        content = TEMPLATE.replace(b"'aldryn-addons',\n", b"'aldryn-addons', 'b',\n")
        assert listed_names(change(content, added=["a"])) == [
            "aldryn-addons",
            "aldryn-django",
            "a",
            "b",
        ]

    def test_an_absolute_path_is_a_name(self) -> None:
        content = TEMPLATE.replace(b"'aldryn-addons'", b"'/app/somewhere/Addon'")
        assert b"'/app/somewhere/Addon'," in change(content, added=["a"])

    def test_without_tags_nothing_changes(self) -> None:
        content = b"INSTALLED_ADDONS = ['a']\n"
        assert change(content, added=["b"]) == content

    def test_windows_line_ends(self) -> None:
        content = TEMPLATE.replace(b"\n", b"\r\n")
        assert change(content, added=["x"]) == change(TEMPLATE, added=["x"]).replace(b"\n", b"\r\n")

    @given(added=st.lists(NAMES, max_size=5), outside=st.binary(max_size=40))
    def test_outside_survives_and_twice_is_once(self, added: list[str], outside: bytes) -> None:
        content = TEMPLATE + outside
        section = sections.find(content, settings_file.TAG)
        assert section is not None
        once = change(content, added=added)
        written = sections.find(once, settings_file.TAG)
        assert written is not None
        assert sections.outside(once, written) == sections.outside(content, section)
        assert change(once, added=added) == once


class TestSettingsJson:
    def test_it_looks_as_in_real_sites(self) -> None:
        values = {"b": True, "a": "é", "n": None, "l": ["x"], "i": 3}
        expected = b'{\n    "a": "\\u00e9",\n    "b": true,\n    "i": 3,\n    "l": [\n        "x"\n'
        expected += b'    ],\n    "n": null\n}\n'
        assert settings_json.write(values) == expected

    def test_what_says_the_same_is_left_as_somebody_wrote_it(self) -> None:
        content = b'{"b":1,\n "a":""}'
        assert settings_json.rewrite(content, {"a": "", "b": 1}) is content
        assert settings_json.rewrite(content, {"a": "", "b": True}) != content

    @pytest.mark.parametrize("value", [3, "", None, "3", ["a", "b"], {"deep": [1.5]}])
    def test_any_value_is_read(self, value: object) -> None:
        assert settings_json.read(json.dumps({"x": value}).encode()) == {"x": value}

    def test_no_file_is_no_settings(self) -> None:
        assert settings_json.read(None) == {}
        assert settings_json.read(b"\xef\xbb\xbf{}") == {}

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b'{\n"a": 1,\n}', "line 3"),
            (b"", "line 1"),
            (b"[1]", "no object"),
            (b'{"a": NaN}', "NaN"),
            (b'{"a": "\xff"}', "UTF-8"),
            (b"[" * 100_000, "deep"),
            (b"<<<<<<< HEAD\n{}", "line 1"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, content: bytes, words: str) -> None:
        with pytest.raises(Invalid, match=words):
            settings_json.read(content)
