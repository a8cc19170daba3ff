"""Values that can be kept: as settings, and as JSON."""

from __future__ import annotations

from typing import Any

from app.adapters.sandbox.guest.asking import Refused

LARGEST = 2**63
"""Numbers below it fit everywhere."""


def as_text(value: Any) -> str:
    """Text for `value`, whatever it is; empty for none."""
    return "" if value is None else str(value)


def as_setting(name: str, value: Any) -> Any:
    """The value, if a settings file may hold it: text, whole number, yes or no, nothing, or a list
    of texts. Raises `Refused`."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if -LARGEST <= value < LARGEST:
            return int(value)
    elif isinstance(value, list | tuple) and all(isinstance(item, str | int) for item in value):
        return [str(item) for item in value]
    kind = type(value).__name__[:80]
    raise Refused(
        "nonsense",
        f"The package's value for “{name[:80]}” cannot be kept as a setting: it is “{kind}”, not "
        "a text, a whole number of ordinary size, yes or no, or a list of texts.",
    )
