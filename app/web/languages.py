"""The languages pages can be read in, and which one a request gets."""

from __future__ import annotations

from flask import g, has_request_context, request
from sqlalchemy.exc import SQLAlchemyError

LANGUAGES = {"en": "English"}
"""By code, in their own words. A new one is a line here and a catalogue in `translations/`."""
DEFAULT = "en"


def choose_language() -> str:
    """The person's own, or what their browser asks for. Loads nobody and outlives a database that
    is away: error pages are written in it too."""
    try:
        chosen = getattr(g.get("_login_user"), "language", None)  # where Flask-Login keeps them
    except SQLAlchemyError:
        chosen = None
    if chosen in LANGUAGES:
        return str(chosen)
    if not has_request_context():
        return DEFAULT
    return request.accept_languages.best_match(LANGUAGES, DEFAULT) or DEFAULT
