"""Blotting secrets out of text before it is written anywhere (N8)."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable

from app.adapters.lines import LONGEST_LINE

SHORTEST = 8
"""Shorter values would blot out ordinary words (architecture §4)."""
MASK = "••••••••"


class Masker:
    """Replaces secrets, also URL-, JSON-, base64- and hex-encoded ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= SHORTEST
            for form in encodings_of(secret)
            if len(form) >= SHORTEST
        }
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def mask(self, text: str) -> str:
        """A whole text, masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text


class LineMasker:
    """Masks and cuts the lines of one log.

    Adapters hand a line on in pieces of at most `LONGEST_LINE` characters. `shown` is how much of
    a line a log keeps; it is less than a piece, so the rest of a line can be dropped whole, and
    with it a secret that a piece's border has cut in two.
    """

    def __init__(self, secrets: Iterable[str], shown: int) -> None:
        self.mask = Masker(secrets).mask
        self._shown = min(shown, LONGEST_LINE // 2)
        self._is_inside = False

    def line(self, piece: str) -> str | None:
        """What to write for the next piece; None when it only continues a line."""
        was_inside, self._is_inside = self._is_inside, len(piece) >= LONGEST_LINE
        if was_inside:
            return None
        masked = self.mask(piece)
        return masked if len(masked) <= self._shown else f"{masked[: self._shown]} …"


def encodings_of(secret: str) -> set[str]:
    """The forms in which a secret may show up in a log.

    base64 depends on where in a longer text the secret begins, so the middle of each of the three
    alignments is taken.
    """
    data = secret.encode()
    quoted = (urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret))
    forms = {
        secret,
        *quoted,
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        data.hex(),
        data.hex().upper(),
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        first = (shift * 8 + 5) // 6
        whole = (shift + len(data)) * 8 // 6
        forms.add(encoded[first:whole])
        forms.add(encoded[first:whole].translate(str.maketrans("+/", "-_")))
    return forms | {line for line in secret.splitlines() if len(line) >= SHORTEST}
