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
from app.applications.models import Application
from app.errors import Invalid, NotFound
from app.extensions import db
from app.organisations.queries import list_members_of_roles
from app.permissions import Access, Permission, Role
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("applications", __name__, url_prefix="/applications/<slug>")

SWITCHER_LENGTH = 12


@blueprint.app_context_processor
def offer_applications() -> dict[str, Any]:
    """For every page: `my_applications()`, the first few a person may look at, for menus, and
    `my_work()`, which of the two worlds they belong to."""
    query = queries.list_applications
    return {
        "my_applications": lambda: db.session.scalars(
            query(signed_in()).limit(SWITCHER_LENGTH)
        ).all(),
        "my_work": lambda: queries.work_of(signed_in()),
    }


@blueprint.get("/collaborators/")
@requires(Permission.APPLICATION_READ)
def collaborators(slug: str) -> ResponseReturnValue:
    return _show(load_application(slug), CollaboratorForm())


@blueprint.post("/collaborators/")
@requires(Permission.COLLABORATORS_UPDATE)
def add_collaborator(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = CollaboratorForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                access = Access(form.access.data)
                operations.add_collaborator(application, form.email.data, access, signed_in())
            flash(_("Access is given."), "success")
            return redirect(url_for("applications.collaborators", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _show(application, form)


def _show(application: Application, form: CollaboratorForm) -> str:
    given = queries.list_collaborators(application.id)
    taken = {row.collaborator.user_id for row in given}
    members = list_members_of_roles(application.organisation_id, (Role.REGULAR, Role.SITE_EDITOR))
    form.offer([row for row in members if row.user_id not in taken])
    return render_template(
        "applications/collaborators.html",
        application=application,
        rights=queries.rights_on(application, signed_in()),
        given=given,
        form=form,
    )


@blueprint.post("/collaborators/<int:collaborator_id>/remove/")
@requires(Permission.COLLABORATORS_UPDATE)
def remove_collaborator(slug: str, collaborator_id: int) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        row = queries.find_collaborator(application.id, collaborator_id)
        if row is None:
            raise NotFound(_("They have no access any more; it was taken away meanwhile."))
        operations.remove_collaborator(application, row, signed_in())
    flash(_("Access is taken away."), "success")
    return redirect(url_for("applications.collaborators", slug=slug), 303)
