"""What every topic's function is given, and how it says that there is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ARCHIVE = "/panel/archive"
"""Where the archive lies for `inspect`, read-only."""
DETAIL_LENGTH = 8000
"""Characters of a traceback that are handed out: its end, which says what went wrong."""


class Asked(NamedTuple):
    """One question. `source` is the text of `aldryn_config.py` or `plugin.py`."""

    topic: str
    kind: str
    source: str
    payload: Mapping[str, Any]


class Refused(Exception):
    """There is no answer. `reason` is one of the panel's `Reason`s, `sentence` for anybody,
    `detail` for the authors of the package."""

    def __init__(self, reason: str, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.detail = detail
