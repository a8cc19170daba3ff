"""Publishing: to the test site, then to the live one."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts.access import signed_in
from app.permissions import Permission
from app.publishing import operations
from app.publishing.queries import load_places, secret_names_of
from app.publishing.stages import load_stages
from app.publishing.views.blueprints import (
    application_pages,
    open_desk,
    repositories,
    site_pages,
)
from app.transactions import unit_of_work
from app.web.access import requires


@application_pages.get("/publish/")
@site_pages.get("/publish/")
@requires(Permission.CONTENT_UPDATE)
def publishing(slug: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    application = desk.application
    places, names = load_places(application), secret_names_of(application.id)
    stages = load_stages(application, places, names, repositories())
    return desk.show("publishing/publish.html", stages=stages)


@application_pages.post("/publish/test/")
@site_pages.post("/publish/test/")
@requires(Permission.CONTENT_UPDATE)
def publish_to_test(slug: str) -> ResponseReturnValue:
    desk = open_desk(slug)
    with unit_of_work():
        operations.publish_to_test(desk.application, repositories(), signed_in())
    return redirect(url_for(".publishing", slug=slug), 303)


@application_pages.post("/publish/live/")
@site_pages.post("/publish/live/")
@requires(Permission.CONTENT_UPDATE)
def publish_to_live(slug: str) -> ResponseReturnValue:
    desk, seen = open_desk(slug), request.form.get("seen", "")
    with unit_of_work():
        operations.publish_to_live(desk.application, seen, repositories(), signed_in())
    return redirect(url_for(".publishing", slug=slug), 303)
