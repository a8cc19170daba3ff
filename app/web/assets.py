"""Style sheets, scripts, icons: their addresses change with what is in them, so that a browser
keeps one for a year and asks for none of them when a page is opened. Only what a script imports by
itself (js/log_view.js) has no such address, and is asked for each time.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

YEAR = 365 * 24 * 3600
"""Seconds: the most that RFC 2616, 14.21 had for what never expires; `immutable` is RFC 8246."""
DIGITS = 12
"""Of the SHA-256, as `setup/frontend.mjs` writes them into the font's style sheet."""


def install_assets(app: Flask) -> None:
    """Let `url_for("static", …)` name the content, and tell browsers to keep what is so named."""
    app.url_defaults(_name_content)
    app.after_request(_keep)


def content_of(filename: str) -> str:
    """The first digits of the SHA-256 of a static file; empty when there is none."""
    path = Path(f"{current_app.static_folder}/{filename}")
    try:
        changed = path.stat().st_mtime_ns  # edited while the panel runs: a page shows it at once
    except (OSError, ValueError):
        return ""
    return _digits(path, changed)


@functools.lru_cache(maxsize=256)
def _digits(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS] if path.is_file() else ""


def _name_content(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and (digits := content_of(values.get("filename", ""))):
        values["v"] = digits


def _keep(response: Response) -> Response:
    """Only the content that was asked for: while a panel is being updated an old process may
    answer for a new page."""
    if request.endpoint != "static" or response.status_code not in {200, 206, 304}:
        return response
    content = content_of((request.view_args or {})["filename"])
    if content and request.args.get("v") == content:
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response
