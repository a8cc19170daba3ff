"""The addons of a site, at a glance."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.permissions import Permission
from app.publishing.queries import list_removals, load_addon_cards, load_places
from app.publishing.standing import standing_notes
from app.publishing.views.blueprints import application_pages, open_desk, repositories
from app.web.access import requires


@application_pages.get("/addons/")
@requires(Permission.APPLICATION_READ)
def addons(slug: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    places = load_places(desk.application)
    cards = load_addon_cards(desk.application, places)
    test = places.test.card.environment if places.test else None
    return desk.show(
        "publishing/addons.html",
        cards=cards,
        places=places,
        waiting=[card for card in cards if card.is_waiting],
        notes=standing_notes(test, [card.installed for card in cards], repositories()),
        removals=list_removals(desk.application.id, places),
    )
