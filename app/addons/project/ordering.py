"""In which order addons stand, and when two names are the same package."""

from __future__ import annotations

import re
from functools import lru_cache

_FIRST = ("aldryn-addons", "aldryn-django", "aldryn-sso", "aldryn-django-cms", "aldryn-devsync")
"""The rest looks up what these have set before it (ecosystem contract, 4.3)."""


def place_of(name: str) -> tuple[int, str, str]:
    """What addons are sorted by: those of the system first, the rest by the alphabet."""
    plain = normalise(name)
    rank = _FIRST.index(plain) if plain in _FIRST else len(_FIRST)
    return rank, plain, name


@lru_cache(maxsize=4096)  # sites have hundreds, and each change of one compares them all
def normalise(name: str) -> str:
    """The name as pip compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
