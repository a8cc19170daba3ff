"""“Your sites”: the pages of people who change what sites say, and not how they are made."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.accounts.access import signed_in
from app.applications.access import load_application
from app.applications.queries import list_closed_organisations, list_sites, rights_on
from app.overview.sites import addresses_of, live_since, load_site, load_sites, navigation_of
from app.permissions import Permission
from app.publishing.queries import load_addon_cards, load_places
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint("sites", __name__, url_prefix="/sites")


@blueprint.get("/")
@requires(Permission.ACCOUNT_OWN)
def sites() -> ResponseReturnValue:
    page = paged(list_sites(signed_in()))
    return render_template(
        "sites/list.html",
        page=page,
        sites=load_sites(page.rows),
        closed=list_closed_organisations(signed_in()),
    )


@blueprint.get("/<slug>/")
@requires(Permission.SITE_READ)
def site(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    found = load_site(application)
    cards = load_addon_cards(application, load_places(application))
    return render_template(
        "sites/site.html",
        site=found,
        addresses=addresses_of(found),
        since=live_since(found),
        navigation=navigation_of(found),
        cards=cards,
        rights=rights_on(application, signed_in()),
    )
