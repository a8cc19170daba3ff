"""The list of all applications a person may see, and the state of the platform."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from app.accounts.access import signed_in
from app.applications.queries import list_closed_organisations, work_of
from app.deployments.cards import load_cards
from app.extensions import db
from app.organisations.queries import list_organisations
from app.overview.queries import count_states, find_sites
from app.permissions import Permission
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.paging import paged

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
@public
def home() -> ResponseReturnValue:
    return redirect(url_for("overview.applications"))


@blueprint.get("/applications/")
@requires(Permission.ACCOUNT_OWN)
def applications() -> ResponseReturnValue:
    user = signed_in()
    if work_of(user).only_edits_sites:
        return redirect(url_for("sites.sites"))
    words = request.args.get("q", "").strip()[:100]
    state, organisation = request.args.get("state", ""), request.args.get("organisation", "")
    page = paged(find_sites(user, words, state, organisation))
    return render_template(
        "overview/applications.html",
        page=page,
        cards=load_cards(page.rows),
        counts=count_states(user),
        organisations=list_organisations(user),
        closed=list_closed_organisations(user),
        words=words,
        state=state,
        organisation=organisation,
    )


@blueprint.get("/health/")
@limiter.exempt
@public
def health() -> ResponseReturnValue:
    """For whoever watches the panel: 200 while it can read its database."""
    db.session.execute(text("SELECT 1"))
    return {"status": "ok"}
