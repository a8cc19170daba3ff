"""Licences to choose from when an addon is registered, and the text of its LICENSE file."""

from __future__ import annotations

from pathlib import Path

LICENCES = [
    ("BSD-3-Clause", "BSD, 3 clauses"),
    ("MIT", "MIT"),
    ("Apache-2.0", "Apache 2.0"),
    ("MPL-2.0", "Mozilla Public License 2.0"),
    ("LGPL-3.0-or-later", "GNU LGPL 3 or later"),
    ("GPL-3.0-or-later", "GNU GPL 3 or later"),
]
"""Identifier (SPDX) and what people call it."""
_TEXTS = Path(__file__).parent / "licence_texts"
_NONE = "none"


def licence_text(identifier: str, holder: str, year: int) -> str:
    """What the LICENSE file says: the licence itself, or for the long ones the notice that names
    it; for none that is known, that all rights are reserved."""
    known = identifier if identifier in dict(LICENCES) else _NONE
    text = (_TEXTS / f"{known}.txt").read_text()
    return text.replace("[year]", str(year)).replace("[holder]", holder)
