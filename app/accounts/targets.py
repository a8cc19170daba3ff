"""Where a person goes after signing in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import url_for

LENGTH = 1000
"""It waits in the session cookie, of which browsers keep 4,096 bytes."""


def local_target(target: str | None) -> str:
    """Where to go after signing in: an address of this panel only, never somebody else's."""
    parts = urlsplit(target or "")
    is_local = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    # Browsers drop blanks and control characters, and take a backslash for a slash.
    is_plain = not re.search(r"[\x00-\x20\\]", target or "") and "//" not in (target or "")[:2]
    is_short = len(target or "") <= LENGTH
    home = url_for("overview.applications")
    return target if target and is_local and is_plain and is_short else home
