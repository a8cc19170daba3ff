"""Prefixes of instances."""

from __future__ import annotations

import re

from app.errors import Invalid

PREFIX = re.compile(r"[A-Z][A-Z0-9_]*")
PREFIX_LENGTH = 40
FIELD = "prefix"


def clean_prefix(text: str) -> str:
    """The prefix in `text`, in capitals. Raises `Invalid` for what is none."""
    prefix = text.strip().upper()
    if not PREFIX.fullmatch(prefix) or len(prefix) > PREFIX_LENGTH:
        raise Invalid(
            "A prefix has letters, digits and underscores, begins with a letter and has at most "
            f"{PREFIX_LENGTH} characters, e.g. DEFAULT or ARCHIVE.",
            FIELD,
        )
    return prefix
