"""An addon's README on a page of the panel."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from app.addons.models import AddonVersion

_HEADING = re.compile(r"<(/?)h([1-6])\b")


def show_readme(version: AddonVersion) -> Markup | None:
    """The README as it was rendered and cleaned at the upload, its headings below those of the
    page; None when there is none. One that was only kept as text is shown as such."""
    rendered = version.texts.get("readme_html", "")
    if rendered:
        return Markup(_HEADING.sub(_lower, rendered))  # noqa: S704 - cleaned when it was stored
    text = version.texts.get("readme", "").strip()
    return Markup("<pre>{}</pre>").format(escape(text)) if text else None


def _lower(found: re.Match[str]) -> str:
    """A heading's tag two levels down: the page has the first, its cards the second."""
    slash, level = found.groups()
    return f"<{slash}h{min(6, int(level) + 2)}"
