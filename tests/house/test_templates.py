"""Every sentence of a template goes through `_()`, so that it can be translated."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"
FILES = sorted(TEMPLATES.rglob("*.html"))
JINJA = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)
WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}|^[A-Z][a-z]{2,}$")
SPOKEN = {"title", "placeholder", "alt", "aria-label", "data-confirm"}
UNSPOKEN = {"script", "style", "code", "pre", "kbd", "samp"}


class Sentences(HTMLParser):
    """Collects text and spoken attributes that stand in the template as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quiet += tag in UNSPOKEN
        self.found += [value for name, value in attrs if name in SPOKEN and _is_spoken(value or "")]

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in UNSPOKEN

    def handle_data(self, data: str) -> None:
        if not self._quiet and _is_spoken(data):
            self.found.append(" ".join(data.split()))


def _is_spoken(text: str) -> bool:
    return text.strip() != "Moonbase" and bool(WORDS.search(text.strip()))


def test_the_check_finds_a_bare_sentence() -> None:
    assert bare_sentences("<p>{{ _('Fine.') }}</p><b>Not fine</b>") == ["Not fine"]
    assert bare_sentences('<a title="Go there">{{ x }}</a>') == ["Go there"]


def bare_sentences(template: str) -> list[str]:
    parser = Sentences()
    parser.feed(JINJA.sub("", template))
    return parser.found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_sentence_can_be_translated(path: Path) -> None:
    assert bare_sentences(path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_nothing_needs_more_than_the_content_security_policy_gives(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), "an inline script"
    assert not re.search(r"<[^>]*\sstyle=", text), "an inline style"
    assert not re.search(r"<[^>]*\son[a-z]+=", text), "an inline event handler"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), "something from elsewhere"
    assert "|safe" not in text and "autoescape false" not in text
