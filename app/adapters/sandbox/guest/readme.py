"""README files as HTML. Nothing of the package runs, but it takes small texts to keep these
libraries busy for hours or fill all memory: that is for the sandbox to end."""

from __future__ import annotations

import io
from typing import Any

from app.adapters.sandbox.guest.asking import Asked

LIBRARIES = ("docutils", "markdown_it", "mdurl")
"""What is handed in for it."""
_RST_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "syntax_highlight": "none",
    "math_output": "LaTeX",
    "initial_header_level": 1,
    "doctitle_xform": False,
    "smart_quotes": False,
    "line_length_limit": 10_000,
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "stylesheet": None,
}


def render(asked: Asked) -> dict[str, Any]:
    """`html` of the `text` of a `file`."""
    return {"html": to_html(str(asked.payload["text"]), str(asked.payload["file"]))}


def to_html(text: str, file: str) -> str:
    """HTML, not cleaned, of reStructuredText for `*.rst` and files without an ending, of Markdown
    for `*.md`; empty where that fails, and for plain text."""
    ending = file.lower().rpartition(".")[2]
    if ending == "txt" or not text.strip():
        return ""
    try:
        return _from_markdown(text) if ending == "md" else _from_rst(text)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - parsers of foreign text: none of their errors matters here
        return ""


def _from_rst(text: str) -> str:
    from docutils.core import publish_parts

    parts = publish_parts(
        text,
        writer="html5",
        settings_overrides={**_RST_SETTINGS, "warning_stream": io.StringIO()},
    )
    return str(parts["body"])


def _from_markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
