"""Removing a service in two steps: to the trash, and from there for good, or back."""

from __future__ import annotations

import humanize
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.errors import Conflict
from app.extensions import db
from app.installation import installation
from app.lifecycle.access import load_trashed_service
from app.lifecycle.forms import ConfirmationForm
from app.permissions import Permission
from app.routes.operations import touch_feed
from app.services import operations
from app.services.access import load_instance
from app.services.models import ServiceInstance
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("service_trash", __name__, url_prefix="/applications/<slug>")


@blueprint.route("/environments/<name>/services/<service_uuid>/remove/", methods=["GET", "POST"])
@requires(Permission.SERVICES_UPDATE)
def remove(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    words, was_functional = row.name, row.provisioned_at is not None
    form = ConfirmationForm()
    if row.state not in operations.REMOVABLE:
        raise Conflict(_("Detach %(name)s first, and deploy.", name=words))
    if form.is_done(row.prefix, lambda: _lay_down(row)):
        sentence = _("%(name)s is in the trash.", name=words)
        flash(sentence if was_functional else _("%(name)s is removed.", name=words), "success")
        return redirect(url_for("services.services", slug=slug, name=name), 303)
    return _confirm("remove_service", row, form)


@blueprint.post("/trash/services/<service_uuid>/restore/")
@requires(Permission.SERVICES_UPDATE)
def restore(slug: str, service_uuid: str) -> ResponseReturnValue:
    row = load_trashed_service(slug, service_uuid)[1]
    with unit_of_work():
        operations.restore_instance(row, signed_in())
        _tell_ingress()
    flash(_("%(name)s is back, detached. Attach it to use it.", name=row.name), "success")
    return redirect(url_for("trash.application", slug=slug), 303)


@blueprint.route("/trash/services/<service_uuid>/delete/", methods=["GET", "POST"])
@requires(Permission.SERVICES_UPDATE)
def delete_now(slug: str, service_uuid: str) -> ResponseReturnValue:
    row = load_trashed_service(slug, service_uuid)[1]
    words = row.name
    form = ConfirmationForm()
    if form.is_done(row.prefix, lambda: operations.begin_removal(row, signed_in())):
        flash(_("%(name)s is being deleted for good.", name=words), "success")
        return redirect(url_for("trash.application", slug=slug), 303)
    return _confirm("delete_service_now", row, form)


def _lay_down(row: ServiceInstance) -> None:
    operations.trash_instance(row, signed_in())
    _tell_ingress()


def _tell_ingress() -> None:
    """A bucket is served, or is not any more."""
    db.session.flush()
    touch_feed()


def _confirm(page: str, row: ServiceInstance, form: ConfirmationForm) -> str:
    application = row.environment.application
    return render_template(
        f"lifecycle/{page}.html",
        application=application,
        environment=row.environment,
        rights=rights_on(application, signed_in()),
        form=form,
        service=row,
        keeps=humanize.naturaldelta(installation().settings.times.trash),
    )
