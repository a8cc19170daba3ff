"""Modules that real packages import at the top of `aldryn_config.py` and use when their site runs.

Here they need only be there. Each is made when it is first imported. `divio_cli` is not among
them: packages that try it first must fall back to `aldryn_client`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from app.adapters.sandbox.guest import forms

_YES = {"true", "1", "on", "yes", "y", "yeah", "yep"}
_NO = {"false", "0", "off", "no", "n", "nope"}
DJANGO_VERSION = "4.2.16"
"""What `django.get_version()` says: packages compare it."""


def boolean_ish(value: Any) -> bool:
    """Yes or no for the words that people write into the environment."""
    word = str(value).lower() if isinstance(value, str) else value
    if isinstance(word, str) and word in _YES | _NO:
        return word in _YES
    return bool(value)


def djsenv(name: str, default: Any = None, settings: Any = None) -> Any:
    """A value of the environment or the site's settings; here there are neither."""
    return os.environ.get(name, default)


def env(name: str, default: Any = None, required: bool = False) -> Any:
    """`getenv.env`."""
    if required and name not in os.environ:
        raise KeyError(name)
    return os.environ.get(name, default)


def parse_url(url: Any = None, *arguments: Any, **words: Any) -> dict[str, Any]:
    """Settings of a database or cache for its address: empty, for here is neither."""
    return {}


class URL:
    """`yurl.URL`: the parts of an address, as attributes."""

    def __init__(self, url: str = "", **parts: Any) -> None:
        from urllib.parse import urlsplit

        split = urlsplit(str(url))
        self.scheme, self.path, self.query = split.scheme, split.path, split.query
        self.fragment, self.host = split.fragment, split.hostname or ""
        self.username, self.password, self.port = split.username, split.password, split.port
        self.__dict__.update(parts)
        self._url = str(url)

    def __str__(self) -> str:
        return self._url


class LooseVersion:
    """`distutils.version.LooseVersion`, which newer Pythons have no more: numbers and words."""

    def __init__(self, text: Any = None) -> None:
        import re

        self.vstring = str(text or "")
        parts = re.findall(r"\d+|[a-z]+", self.vstring, re.IGNORECASE)
        self.version = [int(part) if part.isdigit() else part for part in parts]

    def _pair(self, other: Any) -> tuple[list[str], list[str]]:
        theirs = other if isinstance(other, LooseVersion) else LooseVersion(other)
        # Words come before numbers, as in 1.0rc1 and 1.0.1.
        return _comparable(self.version), _comparable(theirs.version)

    def __str__(self) -> str:
        return self.vstring

    def __hash__(self) -> int:
        return hash(self.vstring)

    def __eq__(self, other: object) -> bool:
        mine, theirs = self._pair(other)
        return mine == theirs

    def __lt__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return mine < theirs

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __gt__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return mine > theirs

    def __ge__(self, other: Any) -> bool:
        return not self < other


def _comparable(parts: Sequence[int | str]) -> list[str]:
    return [f"1{part:020}" if isinstance(part, int) else f"0{part}" for part in parts]


def with_metaclass(meta: Any, *bases: type) -> Any:
    """`six.with_metaclass`."""
    return meta("with_metaclass", bases, {})


_SIX: Mapping[str, Any] = {
    "PY2": False,
    "PY3": True,
    "string_types": (str,),
    "integer_types": (int,),
    "class_types": (type,),
    "text_type": str,
    "binary_type": bytes,
    "with_metaclass": with_metaclass,
    "iteritems": lambda mapping: iter(mapping.items()),
    "itervalues": lambda mapping: iter(mapping.values()),
    "iterkeys": lambda mapping: iter(mapping),
    "u": str,
    "b": lambda text: text.encode("latin-1"),
}

MODULES: Mapping[str, Mapping[str, Any]] = {
    "aldryn_client": {"forms": forms},
    "aldryn_addons": {},
    "aldryn_addons.utils": {
        "boolean_ish": boolean_ish,
        "djsenv": djsenv,
        "senv": djsenv,
        "global_settings": {},
    },
    "getenv": {"env": env},
    "dj_database_url": {"parse": parse_url, "config": parse_url, "DEFAULT_ENV": "DATABASE_URL"},
    "django_cache_url": {"parse": parse_url, "config": parse_url, "DEFAULT_ENV": "CACHE_URL"},
    "dj_email_url": {"parse": parse_url, "config": parse_url},
    "yurl": {"URL": URL},
    "django": {
        "VERSION": (*(int(part) for part in DJANGO_VERSION.split(".")), "final", 0),
        "__version__": DJANGO_VERSION,
        "get_version": lambda version=None: DJANGO_VERSION,
    },
    "six": _SIX,
    "distutils": {},
    "distutils.version": {"LooseVersion": LooseVersion, "StrictVersion": LooseVersion},
}


class _Finder:
    """Finds the modules above; what the interpreter has itself comes first."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in MODULES:
            return None
        return ModuleSpec(name, self, is_package="." not in name)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(MODULES[module.__name__])


def install() -> None:
    """Make them importable, after all that is really there."""
    sys.modules["aldryn_client.forms"] = forms
    sys.meta_path.append(_Finder())
