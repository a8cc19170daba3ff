"""README files as HTML that can stand on a page of the panel.

Strangers' are rendered in the sandbox, once, at the upload; what comes out is cleaned here. The
library for that is loaded only then: processes that serve pages would carry it for nothing.
"""

from __future__ import annotations

from app.adapters.sandbox.guest.readme import to_html

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


def render_readme(text: str, file: str) -> str:
    """Clean HTML of a README that came with Moonbase, in this process; see `clean_readme`."""
    return clean_readme(to_html(text, file))


def clean_readme(html: str) -> str:
    """The same without script, style, class and id, and without pictures: those would be fetched
    from elsewhere (their words stay). Links are http, https and mailto. Empty when it is too large:
    the text is then shown as it is."""
    if len(html) > HTML_BYTES:
        return ""
    import nh3

    cleaned = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES)
    return cleaned if len(cleaned) <= HTML_BYTES else ""
