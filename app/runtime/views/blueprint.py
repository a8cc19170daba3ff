"""The blueprint of all these views, and what forms with thousands of ticks need."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from app.variables.limits import MOST

blueprint = Blueprint("runtime", __name__, url_prefix="/applications/<slug>")
PASTING = frozenset({"runtime.preview_paste", "runtime.apply_paste"})


@blueprint.url_value_preprocessor
def _take_many_fields(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A tick for each variable: Flask stops at 1,000 fields otherwise. This runs before anything
    reads the form; the size of a form stays limited as everywhere."""
    if endpoint in PASTING:
        request.max_form_parts = MOST + 100
