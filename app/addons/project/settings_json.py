"""`addons/<name>/settings.json`: a flat object of settings, as the site's own loader reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.errors import Invalid


def read(content: bytes | None) -> dict[str, Any]:
    """What it holds; `{}` when there is no file. Keys and values of any kind are kept.

    Raises `Invalid` with a sentence that says where, for what is no JSON object.
    """
    if content is None:
        return {}
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise Invalid(f"line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise Invalid("it is not written in UTF-8") from error
    except RecursionError as error:
        raise Invalid("its lists lie too deep in each other") from error
    except ValueError as error:  # also a number with more digits than Python reads
        raise Invalid(str(error)) from error
    if not isinstance(found, dict):
        raise Invalid("it holds no object")
    return found


def write(settings: Mapping[str, Any]) -> bytes:
    """As real sites have it: 4 spaces, sorted; ASCII, so that every old loader can read it."""
    return (json.dumps(settings, indent=4, sort_keys=True, allow_nan=False) + "\n").encode()


def rewrite(content: bytes | None, settings: Mapping[str, Any]) -> bytes:
    """The content itself when it says the same, whoever wrote it and how."""
    try:
        same = content is not None and is_same(read(content), settings)
    except Invalid:
        same = False
    return content if same and content is not None else write(settings)


def is_same(one: object, other: object) -> bool:
    """Whether both are the same JSON: `1`, `true` and `1.0` are three different things."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")
