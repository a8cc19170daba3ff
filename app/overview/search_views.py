"""Searching everything: a page, and the same as JSON for the command palette (Ctrl-K)."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.access import signed_in
from app.overview.search import find_places
from app.permissions import Permission
from app.web.access import requires

blueprint = Blueprint("search", __name__)

LONGEST = 100


@blueprint.get("/search/")
@requires(Permission.ACCOUNT_OWN)
def search() -> ResponseReturnValue:
    words = request.args.get("q", "").strip()[:LONGEST]
    places = find_places(signed_in(), words)
    if request.accept_mimetypes.best == "application/json":
        return jsonify([asdict(place) for place in places])
    groups = [(name, list(rows)) for name, rows in groupby(places, lambda place: place.group)]
    return render_template("overview/search.html", groups=groups, words=words)
