"""READMEs of strangers on pages of the panel."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.addons.packages.readme import TAGS, render_readme

RST = """\
Susan
=====

It *greets* with ``hello``, see `the docs <https://example.com/docs>`_.

* one
* two

.. code-block:: python

   print("<hi>")
"""


class Tags(HTMLParser):
    """Every tag that a browser would see, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @classmethod
    def of(cls, html: str) -> list[tuple[str, dict[str, str | None]]]:
        parser = cls()
        parser.feed(html)
        return parser.found


def test_restructured_text() -> None:
    html = render_readme(RST, "README.rst")
    assert "<h1>Susan</h1>" in html and "<em>greets</em>" in html and "<li>" in html
    assert 'href="https://example.com/docs"' in html and "&lt;hi&gt;" in html
    assert "class=" not in html and "<span" not in html


def test_markdown() -> None:
    html = render_readme("# Susan\n\n|a|b|\n|-|-|\n|1|2|\n\n**bold** <b>raw</b>", "README.md")
    assert "<h1>Susan</h1>" in html and "<td>1</td>" in html and "<strong>bold</strong>" in html
    assert "<b>raw</b>" not in html and "&lt;b&gt;raw" in html


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (".. raw:: html\n\n   <script>evil()</script>", "README.rst"),
        (".. include:: {secret}", "README.rst"),
        (".. csv-table::\n   :file: {secret}", "README.rst"),
        (".. raw:: html\n   :file: {secret}", "README.rst"),
        (".. code-block:: text\n   :file: {secret}\n", "README.rst"),
        (".. image:: javascript:evil()\n.. figure:: https://evil.example/x.png", "README.rst"),
        ("`x <javascript:evil()>`_", "README"),
        (
            ".. role:: raw-html(raw)\n   :format: html\n\n:raw-html:`<script>evil()</script>`",
            "README",
        ),
        ("<script>evil()</script><img src=x onerror=evil()>", "README.md"),
        ("[x](javascript:evil()) ![y](https://evil.example/x.png)", "README.md"),
        ("[x](data:text/html,<script>evil()</script>)", "readme.MD"),
    ],
)
def test_what_must_not_come_through(text: str, file: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret word")
    html = render_readme(text.replace("{secret}", str(secret)), file)
    assert "the secret word" not in html
    for tag, attributes in Tags.of(html):
        assert tag in TAGS
        assert set(attributes) <= {"href", "alt", "title", "rel"}
        assert str(attributes.get("href", "https:")).startswith("https:")


@pytest.mark.parametrize("file", ["README.rst", "README.md", "README", "README.txt"])
def test_texts_that_break_parsers(file: str) -> None:
    """A README that cannot be rendered is shown as text: it never stops an upload."""
    for text in ("", "\x00", "[" * 3000, "> " * 300, "`" * 2000, "=====\n" * 50, "|a|\n" * 500):
        assert isinstance(render_readme(text, file), str)


def test_plain_text_stays_text() -> None:
    assert render_readme("Hello", "README.txt") == ""
