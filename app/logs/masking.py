"""Blotting secrets out of text before it is written anywhere (N8)."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable

SHORTEST = 8
"""Shorter values would blot out ordinary words (architecture §4)."""
MASK = "••••••••"


class Masker:
    """Replaces secrets, also URL-, JSON-, base64- and hex-encoded ones, in a stream of pieces."""

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
        self._reach = max(map(len, forms), default=1) - 1
        self._held = ""

    def mask(self, text: str) -> str:
        """A whole text, masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def feed(self, piece: str) -> str:
        """The next piece of a stream: what is certain by now, masked.

        Whole lines go out at once; of an unfinished one, as much as a secret could reach over is
        held back. (The lines of a secret of several lines are secrets themselves.)
        """
        if self._pattern is None:
            return piece
        text = self._held + piece
        ready, self._held = self._split(text, max(len(text) - self._reach, text.rfind("\n") + 1))
        return ready

    def _split(self, text: str, safe: int) -> tuple[str, str]:
        """Mask what lies before `safe`; matches that begin before it are taken whole."""
        parts: list[str] = []
        done = 0
        assert self._pattern is not None  # noqa: S101 -- feed() returns early without one
        for match in self._pattern.finditer(text):
            if match.start() >= safe:
                break
            parts.append(text[done : match.start()] + MASK)
            done = match.end()
        cut = max(safe, done)
        parts.append(text[done:cut])
        return "".join(parts), text[cut:]

    def flush(self) -> str:
        """What was held back, masked; the stream ends here or pauses."""
        held, self._held = self._held, ""
        return self.mask(held)


def encodings_of(secret: str) -> set[str]:
    """The forms in which a secret may show up in a log.

    base64 depends on where in a longer text the secret begins, so the middle of each of the three
    alignments is taken.
    """
    data = secret.encode()
    forms = {
        secret,
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
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
