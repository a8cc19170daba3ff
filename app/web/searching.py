"""The words somebody searches for."""

from __future__ import annotations

WORDS_READ = 8
"""Each is a condition of its own: a pasted paragraph must not become a hundred."""


def split_words(text: str) -> list[str]:
    """The words of `text` in small letters, for `column.icontains(word, autoescape=True)`: SQLite
    folds A to Z only, so the rest is done here."""
    return text.lower().split()[:WORDS_READ]
