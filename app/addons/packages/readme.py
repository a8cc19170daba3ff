"""README files as HTML that can stand on a page of the panel.

Called once, at the upload. Both libraries are loaded only then: processes that serve pages would
carry them for nothing.
"""

from __future__ import annotations

import io

import nh3

TAGS = set(
    "a b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre s strong "
    "sub sup table tbody td th thead tr ul".split()
)
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"alt", "title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
SCHEMES = {"http", "https", "mailto"}
HTML_BYTES = 512 * 1024
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


def render_readme(text: str, file: str) -> str:
    """Clean HTML: of reStructuredText for `*.rst` and files without an ending, of Markdown for
    `*.md`; empty where that fails or for plain text, which is then shown as it is.

    No script, style, class, or id survives, and no picture: those would be fetched from elsewhere
    (their words stay). Links are http, https and mailto.
    """
    ending = file.lower().rpartition(".")[2]
    if ending == "txt" or not text.strip():
        return ""
    try:
        html = _from_markdown(text) if ending == "md" else _from_rst(text)
    except Exception:  # noqa: BLE001 - parsers of foreign text: none of their errors matters here
        return ""
    cleaned = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES)
    return cleaned if len(cleaned) <= HTML_BYTES else ""


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
