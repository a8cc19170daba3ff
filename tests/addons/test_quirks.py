"""What published `aldryn_config.py` packages do and rely on: each quirk has a test of its name.

The facts are in the contract of Aldryn addons, sections 2, 4 and 9. All through the real sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from app.adapters.sandbox import Question, Reason, Topic
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from tests.contracts.sandbox_fixtures import LIMITS, describe, failure, nothing_left, validate


@pytest.fixture
def box() -> Iterator[BubblewrapSandbox]:
    with nothing_left():
        yield BubblewrapSandbox(LIMITS)


def form(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"from aldryn_client import forms\n\nclass Form(forms.BaseForm):\n{body}\n"


def names(described: Mapping[str, Any]) -> list[str]:
    return [field["name"] for field in described["fields"]]


# Loading ------------------------------------------------------------------------------------


def test_a_file_without_a_form_has_no_settings(box: BubblewrapSandbox) -> None:
    """The client's validator fails on it, sites accept it: 2 of 98 addons are like this."""
    described = describe(box, "# from aldryn_client import forms\n# class Form(forms.BaseForm):\n")
    assert described["fields"] == [] and described["info"] is None
    assert "no settings" in described["warnings"][0]
    assert validate(box, "", {"a": "b"}) == {"settings": {}, "errors": {}, "traceback": ""}


@pytest.mark.parametrize(
    "statement",
    [
        "from aldryn_client import forms",
        "from aldryn_client.forms import BaseForm, CharField, ValidationError",
        "from aldryn_addons.utils import djsenv, boolean_ish; assert boolean_ish('yep') is True",
        "from getenv import env; assert env('NOT_SET', 3) == 3",
        "import dj_database_url; dj_database_url.parse('sqlite://')",
        "import django_cache_url; django_cache_url.parse('locmem://')",
        "import yurl; assert yurl.URL('redis://h:6379/1').port == 6379",
        "from distutils.version import LooseVersion as V; assert V('1.10') > V('1.9')",
        "import django; from distutils.version import LooseVersion as V\n"
        "assert V(django.get_version()) > V('1.8')",
        "import six; class_ = six.with_metaclass(type, object); assert six.PY3",
        "from __future__ import unicode_literals\nimport json, os, sys, functools, re, warnings",
    ],
)
def test_what_packages_import_at_the_top_is_there(box: BubblewrapSandbox, statement: str) -> None:
    assert describe(box, statement)["fields"] == []


def test_divio_cli_is_not_there_so_that_packages_fall_back(box: BubblewrapSandbox) -> None:
    source = (
        "try:\n    from divio_cli import forms\nexcept ImportError:\n"
        "    from aldryn_client import forms\n"
        "class Form(forms.BaseForm):\n    a = forms.CharField('A')\n"
    )
    assert names(describe(box, source)) == ["a"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("a = forms.CharField('A', placeholder='x')", "TypeError in line 4"),
        ("a = forms.CheckboxField('A', widget=1)", "TypeError in line 4"),
        ("a = forms.SelectField('A')", "TypeError in line 4"),
        ("a = forms.IntegerField('A')", "AttributeError in line 4"),
        ("a = forms.CharField('A)", "SyntaxError in line 4"),
    ],
)
def test_unknown_arguments_classes_and_syntax_are_refused_with_the_line(
    box: BubblewrapSandbox, line: str, error: str
) -> None:
    failed = failure(box, form(line))
    assert failed.reason is Reason.RAISED and error in failed.sentence
    assert line in failed.detail


def test_an_exception_while_the_empty_form_is_checked_refuses_the_package(
    box: BubblewrapSandbox,
) -> None:
    """As the client's validator does; that the empty form is not valid is no matter."""
    assert names(describe(box, form("a = forms.CharField('A')"))) == ["a"]
    failed = failure(box, form("def clean(self): return self.data['a']"))
    assert "KeyError in line 4" in failed.sentence


def test_to_settings_is_never_called(box: BubblewrapSandbox) -> None:
    source = form("def to_settings(self, data, settings): undefined_name()")
    assert describe(box, source)["fields"] == []
    assert validate(box, source, {})["errors"] == {}


# Describing ---------------------------------------------------------------------------------


def test_fields_are_in_the_order_they_were_made_in(box: BubblewrapSandbox) -> None:
    source = "from aldryn_client import forms\nlate = forms.CharField('Z')\n" + form(
        "b = forms.CharField('B')", "a = late", "c = forms.CheckboxField('C')"
    )
    assert names(describe(box, source)) == ["a", "b", "c"]


def test_inherited_and_mixed_in_fields_vanish(box: BubblewrapSandbox) -> None:
    source = (
        "from aldryn_client import forms\n"
        "class Mixin(object):\n    m = forms.CharField('M')\n"
        "class Base(forms.BaseForm):\n    a = forms.CharField('A')\n"
        "class Form(Mixin, Base):\n    b = forms.CharField('B')\n"
    )
    assert names(describe(box, source)) == ["b"]


def test_positional_arguments_follow_the_label(box: BubblewrapSandbox) -> None:
    source = form(
        "a = forms.CharField('A', 2, 5, False, help_text='h', initial='i')",
        "b = forms.SelectField('B', (('', '-'), ('x', 'X')), False)",
        "c = forms.NumberField('C', 1, 9, False)",
        "d = forms.StaticFileField('D', ['css'], False)",
        "e = forms.CheckboxField('E', False, 'h', True)",
    )
    a, b, c, d, e = describe(box, source)["fields"]
    assert (a["min_length"], a["max_length"], a["required"], a["initial"]) == (2, 5, False, "i")
    assert b["choices"] == [["", "-"], ["x", "X"]] and b["type"] == "select"
    assert (c["min_value"], c["max_value"]) == (1, 9), "which serialize() leaves out"
    assert d["extensions"] == ["css"] and d["type"] == "file"
    assert (e["help_text"], e["initial"], e["required"]) == ("h", True, False)


def test_initials_and_choices_of_any_kind_become_plain(box: BubblewrapSandbox) -> None:
    source = form(
        "a = forms.CharField('A', initial=1.5)",
        "b = forms.SelectField('B', [(1, 'One'), 'two', ('G', [(3, 'Three')])])",
        "c = forms.NumberField('C', initial=7, max_value='9')",
        "d = forms.CharField(None, initial=object)",
    )
    described = describe(box, source)
    a, b, c, d = described["fields"]
    assert (a["initial"], c["initial"], c["max_value"], d["label"]) == ("1.5", 7, None, "d")
    assert b["choices"] == [["1", "One"], ["two", "two"], ["3", "Three"]]
    assert len(described["warnings"]) == 4


def test_a_custom_field_keeps_its_type_and_its_check(box: BubblewrapSandbox) -> None:
    source = (
        "from aldryn_client import forms\n"
        "class Positive(forms.NumberField):\n"
        "    def clean(self, value):\n"
        "        try:\n            assert int(value) > 0\n            return int(value)\n"
        "        except:\n            raise forms.ValidationError('more than 0, please')\n"
        "class Form(forms.BaseForm):\n    n = Positive('N')\n"
    )
    assert describe(box, source)["fields"][0]["type"] == "number"
    assert validate(box, source, {"n": 3})["settings"] == {"n": 3}
    assert validate(box, source, {"n": "-1"})["errors"] == {"n": "more than 0, please"}


# Checking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "line", "given", "kept"),
    [
        ("numbers of settings.json go in as text", "NumberField('N')", 12, 12),
        ("falsy numbers come back unchanged: text", "NumberField('N')", "", ""),
        ("falsy numbers come back unchanged: none", "NumberField('N', required=False)", None, None),
        ("0 is text like any number", "NumberField('N')", 0, 0),
        ("an empty text passes a required field", "CharField('A')", "", ""),
        (
            "an optional text that is missing becomes empty",
            "CharField('A', required=False)",
            None,
            "",
        ),
        ("limits of 0 are none", "CharField('A', 0, 0)", "abc", "abc"),
        ("numbers go into text fields as text", "CharField('A', 1, 5)", 123, "123"),
        ("lists are shown back with commas", "CharField('A')", ["a", "b"], "a, b"),
        ("real booleans stay", "CheckboxField('C')", False, False),
        ("words of a no are a no", "CheckboxField('C')", "off", False),
        ("words of a yes are a yes", "CheckboxField('C')", "on", True),
        ("a missing optional checkbox is off", "CheckboxField('C', required=False)", None, False),
        ("a choice need not be one", "SelectField('S', [('a', 'A')])", "z", "z"),
        ("a file without rule passes", "StaticFileField('F')", "a/b.xyz", "a/b.xyz"),
        ("a file with its ending passes", "StaticFileField('F', ['css'])", "a/b.css", "a/b.css"),
    ],
)
def test_a_value_that_passes(
    box: BubblewrapSandbox, what: str, line: str, given: object, kept: object
) -> None:
    checked = validate(box, form(f"x = forms.{line}"), {} if given is None else {"x": given})
    assert (checked["settings"], checked["errors"]) == ({"x": kept}, {}), what


@pytest.mark.parametrize(
    ("what", "line", "given"),
    [
        ("required means that the name is there", "CharField('A')", None),
        ("a required checkbox that is missing fails", "CheckboxField('C')", None),
        ("too short", "CharField('A', 3)", "ab"),
        ("too long", "CharField('A', None, 3)", "abcd"),
        ("negative", "NumberField('N')", -1),
        ("decimal", "NumberField('N')", "1.5"),
        ("signed", "NumberField('N')", "+1"),
        ("too small", "NumberField('N', 5)", 4),
        ("too big", "NumberField('N', None, 5)", 6),
        ("endings are compared with their case", "StaticFileField('F', ['css'])", "b.CSS"),
    ],
)
def test_a_value_that_fails(box: BubblewrapSandbox, what: str, line: str, given: object) -> None:
    checked = validate(box, form(f"x = forms.{line}"), {} if given is None else {"x": given})
    assert checked["settings"] == {} and list(checked["errors"]) == ["x"], what
    assert checked["errors"]["x"] and not checked["traceback"]


def test_an_error_of_the_form_as_a_whole(box: BubblewrapSandbox) -> None:
    """It is found under the key None; here under the empty name."""
    source = form("def clean(self): raise forms.ValidationError('not together')")
    assert validate(box, source, {})["errors"] == {"": "not together"}


def test_what_clean_returns_is_not_looked_at(box: BubblewrapSandbox) -> None:
    source = form(
        "a = forms.CharField('A')",
        "def clean(self):",
        "    data = super(Form, self).clean()",
        "    data['a'] = [part.strip() for part in data['a'].split(',')]",
        "    return {'something': 'else'}",
    )
    first = validate(box, source, {"a": "x, y"})["settings"]
    assert first == {"a": ["x", "y"]}
    assert validate(box, source, first)["settings"] == first, "lists do not nest with each save"


def test_digits_that_are_no_numbers_are_a_mistake_of_the_form(box: BubblewrapSandbox) -> None:
    """`isdigit` knows more digits than `int`: the ValueError becomes an error of the form."""
    checked = validate(box, form("x = forms.NumberField('N')"), {"x": "²"})
    assert list(checked["errors"]) == [""] and "mistake in its own code" in checked["errors"][""]
    assert "ValueError" in checked["traceback"] and checked["settings"] == {}


@pytest.mark.parametrize("raised", ["KeyError('a')", "SystemExit(1)", "KeyboardInterrupt()"])
def test_any_exception_is_an_error_of_the_form(box: BubblewrapSandbox, raised: str) -> None:
    source = form("def clean(self):", f"    if self.data: raise {raised}")
    checked = validate(box, source, {"a": "1"})
    assert list(checked["errors"]) == [""] and raised.partition("(")[0] in checked["traceback"]
    assert "line 5" in checked["traceback"] and raised not in checked["errors"][""]


def test_its_own_cleaned_values_pass_again(box: BubblewrapSandbox) -> None:
    """127 of 443 real versions crash when they are fed what they have cleaned themselves."""
    source = form(
        "n = forms.NumberField('N', initial=8)",
        "c = forms.CheckboxField('C', required=False, initial=True)",
        "t = forms.CharField('T', initial='t', required=False)",
    )
    initial = {field["name"]: field["initial"] for field in describe(box, source)["fields"]}
    once = validate(box, source, initial)["settings"]
    assert once == initial == {"n": 8, "c": True, "t": "t"}
    assert validate(box, source, once)["settings"] == once


# Packages with hooks ------------------------------------------------------------------------

INFO = (
    "from app.addons.api import *\n"
    "@hookimpl\ndef addon_info(): return AddonInfo('a-b', 'A', '1', 'S')\n"
)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (INFO + "@hookimpl\ndef contribute_magic(site): pass\n", "“contribute_magic”"),
        (INFO + "@hookimpl\ndef contribute_files(site, more): pass\n", "other arguments"),
        ("", "needs the hook “addon_info”"),
        (INFO + "@hookimpl\ndef settings_form(): return ['a']\n", "gave a str where it has to"),
        (INFO + "@hookimpl\ndef settings_form(): return 1/0\n", "ZeroDivisionError in line 5"),
        (
            INFO + "n = []\n@hookimpl\ndef settings_form():\n"
            "    n.append(1); return (Field('a' * len(n), 'A'),)\n",
            "other fields each time",
        ),
        (INFO + "import flask\n", "ModuleNotFoundError in line 4"),
        (INFO + "import app.addons.models\n", "ModuleNotFoundError in line 4"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_told_how(
    box: BubblewrapSandbox, source: str, sentence: str
) -> None:
    assert sentence in failure(box, source, "plugin").sentence


def test_a_plugin_checks_its_settings(box: BubblewrapSandbox) -> None:
    source = INFO + (
        "@hookimpl\ndef clean_settings(settings):\n"
        "    if settings['a'] == 'raise': raise KeyError('x')\n"
        "    if not settings['a']: raise SettingsError({'a': 'Say something.', '': 'All wrong.'})\n"
        "    return {**settings, 'a': settings['a'].upper()}\n"
    )
    assert validate(box, source, {"a": "x"}, "plugin")["settings"] == {"a": "X"}
    refused = validate(box, source, {"a": ""}, "plugin")
    assert refused["errors"] == {"a": "Say something.", "": "All wrong."}
    broken = validate(box, source, {"a": "raise"}, "plugin")
    assert list(broken["errors"]) == [""] and "KeyError" in broken["traceback"]
    assert validate(box, INFO, {"a": 1}, "plugin")["settings"] == {"a": 1}, "no hook: as given"


def test_a_plugin_that_gives_what_contains_itself_is_refused(box: BubblewrapSandbox) -> None:
    source = INFO + (
        "x = []\nx.append(x)\n@hookimpl\n"
        "def contribute_services(site): return (Service(ServiceKind.REDIS, options={'a': x}),)\n"
    )
    site = {"name": "S", "slug": "s", "stage": "", "settings": {}}
    with pytest.raises(Exception, match="contains itself"):
        box.ask(Question(Topic.CONTRIBUTE, "plugin", source, {"site": site}))
