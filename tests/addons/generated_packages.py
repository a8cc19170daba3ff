"""Packages as real ones are, made up: their shapes and how often each is met come from the contract
of Aldryn addons (sections 2, 4, 8 and 9), which counted 98 addons in 459 versions.

The same seed makes the same packages. `bench/addons` loads 500 of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SEED = 2_459
PER_MILLE_WITHOUT_FIELDS = 378
"""37 of 98 addons."""
MOST_FIELDS = 14
KINDS = (("char", 83), ("checkbox", 82), ("number", 14), ("select", 5), ("custom", 3))
"""Fields of 98 addons; custom ones are two of numbers and one of text."""
IMPORTS = (
    ("import os", 304),
    ("import json", 315),
    ("import sys", 206),
    ("from functools import partial", 33),
    ("from getenv import env", 7),
    ("from aldryn_addons.utils import boolean_ish, djsenv", 7),
    ("import dj_database_url", 6),
    ("import django_cache_url", 6),
    ("from distutils.version import LooseVersion", 3),
    ("import warnings", 6),
    ("import yurl", 2),
    ("from django import get_version", 1),
    ("import re", 1),
)
"""At the top of 459 versions."""
VERSIONS = 459


class Broken(StrEnum):
    """Why a package cannot load: 8 of 459 versions are broken by themselves."""

    NO = ""
    OPEN_STRING = "a string that does not end"
    STRAY_CHARACTER = "a stray character"
    SYNTAX = "no Python"
    KEYWORD = "an unknown argument"
    CLASS = "an unknown kind of field"


BROKEN = (
    (Broken.OPEN_STRING, 3),
    (Broken.STRAY_CHARACTER, 2),
    (Broken.SYNTAX, 1),
    (Broken.KEYWORD, 1),
    (Broken.CLASS, 1),
)
_WORDS = (
    "title page theme number of items cache time style class menu language default plugin "
    "image width button link text colour map key path user list show hide debug level"
).split()
_HELP = (
    None,
    "",
    "Leave it empty for the default.",
    'See <a href="https://example.com/docs" target="_blank">the documentation</a>.',
    "Several lines:\\n- one\\n- two",
    "<b>WARNING</b>: this field is auto-written. Please do not change it here.",
)
_CUSTOM = {
    "number": """\
class PositiveField(forms.CharField):
    def clean(self, value):
        try:
            number = int(value)
            assert number > 0
        except:
            raise forms.ValidationError("Enter a positive number.")
        return number
""",
    "text": """\
class ClassNameField(forms.CharField):
    def clean(self, value):
        value = super(ClassNameField, self).clean(value)
        if value and not re.match(r"^[A-Za-z][A-Za-z0-9_ -]*$", value):
            raise forms.ValidationError("This is no name of a class.")
        return value
""",
}
_CLEANS = (
    # A text of names with commas becomes a list, and is stored as one.
    """\
    def clean(self):
        data = super(Form, self).clean()
        data["{name}"] = [part.strip() for part in data.get("{name}", "").split(",") if part]
        return data
""",
    # What an earlier version has stored as a list is repaired.
    """\
    def clean(self):
        data = self.cleaned_data
        if isinstance(data.get("{name}"), list):
            data["{name}"] = ", ".join(data["{name}"])
        return data
""",
    """\
    def clean(self):
        data = super(Form, self).clean()
        if data.get("{name}") == "refused":
            raise forms.ValidationError("This cannot be.")
        return data
""",
)
_TO_SETTINGS = """\
    def to_settings(self, data, settings):
        from aldryn_addons.utils import djsenv
        settings["{prefix}"] = data
        settings["INSTALLED_APPS"].append("{module}")
        return settings
"""


@dataclass(frozen=True)
class GeneratedPackage:
    """One version of an addon. `fields` are the names of its form's; empty where it has none."""

    name: str
    version: str
    source: str
    fields: tuple[str, ...]
    broken: Broken = Broken.NO
    has_form: bool = True

    @property
    def loads(self) -> bool:
        """Whether it is a valid package: without `Form` it has no settings, and loads."""
        return self.broken == Broken.NO

    @property
    def addon_json(self) -> str:
        apps = [self.name.replace("-", "_")]
        return json.dumps({"package-name": self.name, "installed-apps": apps})


def generate_packages(count: int, seed: int = SEED) -> list[GeneratedPackage]:
    """`count` packages. Broken ones are as rare as in the contract, one in 57, and spread over all:
    the first of 40 and more has one."""
    chance = random.Random(seed)
    reasons = [reason for reason, often in BROKEN for _ in range(often)]
    broken_at = {
        number: reasons[place % len(reasons)]
        for place, number in enumerate(range(24, count, VERSIONS // len(reasons)))
    }
    return [
        _make(number, chance, broken_at.get(number, Broken.NO), number % 49 == 48)
        for number in range(count)
    ]


def _make(number: int, chance: random.Random, broken: Broken, is_bare: bool) -> GeneratedPackage:
    name = f"{chance.choice(_WORDS)}-{chance.choice(_WORDS)}-{number}"
    version = f"{chance.randint(0, 4)}.{chance.randint(0, 12)}.{chance.randint(0, 9)}"
    if is_bare and not broken:  # 2 of 98: all of it is commented out
        source = "# from aldryn_client import forms\n#\n# class Form(forms.BaseForm):\n#     pass\n"
        return GeneratedPackage(name, version, source, (), has_form=False)
    fields = _fields(chance, at_least=1 if broken else 0)
    lines = [line for line, often in IMPORTS if chance.random() * VERSIONS < often]
    if "import re" not in lines and any(kind == "custom" for kind, _ in fields):
        lines.append("import re")
    source = "\n".join(["# -*- coding: utf-8 -*-", *lines, _forms_import(chance)]) + "\n\n\n"
    source += "\n\n".join(_CUSTOM.values()) + "\n\n" if "import re" in lines else ""
    source += _form(name, fields, chance)
    names = tuple(field for _, field in fields)
    return GeneratedPackage(name, version, _break(source, broken), names, broken)


def _forms_import(chance: random.Random) -> str:
    if chance.random() * 98 < 2:
        return (
            "try:\n    from divio_cli import forms\nexcept ImportError:\n"
            "    from aldryn_client import forms"
        )
    return "from aldryn_client import forms"


def _fields(chance: random.Random, at_least: int) -> list[tuple[str, str]]:
    """Kind and name of each: 187 in 61 addons that have any, 14 at most."""
    if not at_least and chance.random() * 1000 < PER_MILLE_WITHOUT_FIELDS:
        return []
    count = min(MOST_FIELDS, 1 + int(chance.expovariate(1 / 2.1)))
    kinds = chance.choices(
        [kind for kind, _ in KINDS], weights=[often for _, often in KINDS], k=count
    )
    names = chance.sample(_WORDS, count)
    return [
        (kind, f"{name}_{chance.choice(_WORDS)}") for kind, name in zip(kinds, names, strict=True)
    ]


def _form(name: str, fields: Sequence[tuple[str, str]], chance: random.Random) -> str:
    body = [f"    {field} = {_field(kind, chance)}" for kind, field in fields]
    texts = [field for kind, field in fields if kind == "char"]
    source = "class Form(forms.BaseForm):\n" + "\n".join(body or ["    pass"]) + "\n"
    if texts and chance.random() * 61 < 10:  # 10 addons clean the form as a whole
        source += "\n" + chance.choice(_CLEANS).format(name=texts[0])
    module = name.replace("-", "_")
    return source + "\n" + _TO_SETTINGS.format(prefix=module.upper(), module=module)


def _field(kind: str, chance: random.Random) -> str:
    label = " ".join(chance.sample(_WORDS, 2)).capitalize()
    is_required = chance.random() * 105 < 30  # 30 of those that are no checkboxes
    more = [] if is_required and kind != "checkbox" else ["required=False"]
    help_text = chance.choice(_HELP)
    more += [] if help_text is None else [f'help_text="{_escaped(help_text)}"']
    if kind == "checkbox":
        more += [f"initial={chance.random() < 0.5}"] if chance.random() < 0.6 else []
        return _call("forms.CheckboxField", f'"{label}"', more)
    if kind == "number":
        limits = chance.choice(([], ["min_value=0"], ["min_value=1", "max_value=12"]))
        initial = [f"initial={chance.randint(1, 12)}"] if chance.random() < 0.8 else []
        return _call("forms.NumberField", f'"{label}"', [*limits, *more, *initial])
    if kind == "select":
        first = [("", "None")] if chance.random() < 0.4 else []
        choices = [*first, ("one", "One"), ("two", "Two")]
        given = repr(choices if chance.random() < 0.5 else tuple(choices))
        return _call("forms.SelectField", f'"{label}", {given}', [*more, "initial='one'"])
    if kind == "custom":
        return _call(chance.choice(("PositiveField", "ClassNameField")), f'"{label}"', more)
    limits = chance.choice(([], [], ["max_length=60"], ["min_length=2", "max_length=20"]))
    initial = chance.choice(([], ["initial=''"], ["initial='default'"], ["initial='a, b'"]))
    return _call("forms.CharField", f'"{label}"', [*limits, *more, *initial])


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


def _call(name: str, label: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join([label, *arguments])})"


def _break(source: str, broken: Broken) -> str:
    match broken:
        case Broken.OPEN_STRING:
            return source.replace('(u"' if '(u"' in source else '("', "('", 1)
        case Broken.STRAY_CHARACTER:
            return source.replace("class Form", "\ufffcclass Form", 1)
        case Broken.SYNTAX:
            return source.replace("class Form(forms.BaseForm):", "class Form(forms.BaseForm)", 1)
        case Broken.KEYWORD:
            return source.replace("required=False", "required=False, placeholder='x'", 1) + (
                "" if "required=False" in source else "\nforms.CharField('x', placeholder='x')\n"
            )
        case Broken.CLASS:
            return source.replace(
                "class Form(forms.BaseForm):\n",
                "class Form(forms.BaseForm):\n    amount = forms.IntegerField('Amount')\n",
                1,
            )
        case _:
            return source
