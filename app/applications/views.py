"""An application's collaborators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications import operations, queries
from app.applications.access import load_application
from app.applications.forms import CollaboratorForm
from app.errors import Invalid, NotFound
from app.extensions import db
from app.permissions import Access, Permission
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("applications", __name__, url_prefix="/applications/<slug>")

SWITCHER_LENGTH = 12


@blueprint.app_context_processor
def offer_applications() -> dict[str, Any]:
    """For every page: `my_applications()`, the first few a person may look at, for menus."""
    query = queries.list_applications
    return {
        "my_applications": lambda: db.session.scalars(
            query(signed_in()).limit(SWITCHER_LENGTH)
        ).all()
    }


@blueprint.get("/collaborators/")
@requires(Permission.APPLICATION_READ)
def collaborators(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    return render_template(
        "applications/collaborators.html",
        application=application,
        rights=queries.rights_on(application, signed_in()),
        form=CollaboratorForm(),
    )


@blueprint.post("/collaborators/")
@requires(Permission.MEMBERS_UPDATE)
def add_collaborator(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = CollaboratorForm()
    if form.validate_on_submit():
        with unit_of_work():
            access = Access(form.access.data)
            operations.add_collaborator(application, form.email.data, access, signed_in())
        flash(_("Access is given."), "success")
        return redirect(url_for("applications.collaborators", slug=slug), 303)
    raise Invalid(_("An e-mail address is needed."))


@blueprint.post("/collaborators/<int:collaborator_id>/remove/")
@requires(Permission.MEMBERS_UPDATE)
def remove_collaborator(slug: str, collaborator_id: int) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        rows = [row for row in application.collaborators if row.id == collaborator_id]
        if not rows:
            raise NotFound(_("There is no such collaborator."))
        operations.remove_collaborator(application, rows[0], signed_in())
    flash(_("Access is taken away."), "success")
    return redirect(url_for("applications.collaborators", slug=slug), 303)
