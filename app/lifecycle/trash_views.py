"""Deleting in two steps: to the trash, and from there for good, or back."""

from __future__ import annotations

import datetime

import humanize
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.access import load_application
from app.applications.models import Application
from app.applications.queries import rights_on
from app.domains import operations as domains
from app.environments.access import load_environment
from app.extensions import now
from app.installation import installation
from app.lifecycle import queries, trash
from app.lifecycle.access import (
    load_trashed_application,
    load_trashed_domain,
    load_trashed_environment,
)
from app.lifecycle.forms import ConfirmationForm
from app.organisations.access import load_organisation
from app.permissions import Permission
from app.routes.operations import give_up_trashed_host
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("trash", __name__)


def _keeps() -> float:
    return installation().settings.times.trash


# Lists ------------------------------------------------------------------------------------------


@blueprint.get("/organisations/<slug>/trash/")
@requires(Permission.TRASH_UPDATE)
def organisation(slug: str) -> ResponseReturnValue:
    row = load_organisation(slug)
    of_organisation = Application.organisation_id == row.id
    return render_template(
        "lifecycle/organisation_trash.html",
        organisation=row,
        applications=queries.list_trashed_applications(row.id, _keeps()),
        environments=queries.list_trashed_environments(of_organisation, _keeps()),
        domains=queries.list_trashed_domains(of_organisation, _keeps()),
        services=queries.list_trashed_services(of_organisation, _keeps()),
        keeps=humanize.naturaldelta(_keeps()),
    )


@blueprint.get("/applications/<slug>/trash/")
@requires(Permission.ENVIRONMENT_DELETE)
def application(slug: str) -> ResponseReturnValue:
    row = load_application(slug)
    of_application = Application.id == row.id
    return render_template(
        "lifecycle/application_trash.html",
        application=row,
        rights=rights_on(row, signed_in()),
        environments=queries.list_trashed_environments(of_application, _keeps()),
        domains=queries.list_trashed_domains(of_application, _keeps()),
        services=queries.list_trashed_services(of_application, _keeps()),
        keeps=humanize.naturaldelta(_keeps()),
    )


# To the trash -----------------------------------------------------------------------------------


@blueprint.route("/applications/<slug>/delete/", methods=["GET", "POST"])
@requires(Permission.APPLICATION_DELETE)
def delete_application(slug: str) -> ResponseReturnValue:
    row = load_application(slug)
    form = ConfirmationForm()
    if form.is_done(row.name, lambda: trash.trash_application(row, signed_in())):
        flash(_("%(name)s is in the trash.", name=row.name), "success")
        return redirect(url_for("trash.organisation", slug=row.organisation.slug), 303)
    return _confirm(
        "delete_application", row, form, contents=queries.count_contents([row.id])[row.id]
    )


@blueprint.route("/applications/<slug>/environments/<name>/delete/", methods=["GET", "POST"])
@requires(Permission.ENVIRONMENT_DELETE)
def delete_environment(slug: str, name: str) -> ResponseReturnValue:
    row = load_environment(slug, name)
    form = ConfirmationForm()
    if form.is_done(row.name, lambda: trash.trash_environment(row, signed_in())):
        flash(_("%(name)s is in the trash.", name=row.name), "success")
        return redirect(url_for("trash.application", slug=slug), 303)
    counts = queries.count_environment_contents([row.id])[row.id]
    return _confirm("delete_environment", row.application, form, environment=row, contents=counts)


# Back -------------------------------------------------------------------------------------------


@blueprint.post("/organisations/<slug>/trash/<entry_uuid>/restore/")
@requires(Permission.TRASH_UPDATE)
def restore_application(slug: str, entry_uuid: str) -> ResponseReturnValue:
    entry, row = load_trashed_application(slug, entry_uuid)
    with unit_of_work():
        trash.restore_application(entry, signed_in(), installation().adapters.repositories)
    flash(_("%(name)s is back. What ran starts again now.", name=row.name), "success")
    return redirect(url_for("deployments.dashboard", slug=row.slug), 303)


@blueprint.post("/applications/<slug>/trash/environments/<entry_uuid>/restore/")
@requires(Permission.ENVIRONMENT_DELETE)
def restore_environment(slug: str, entry_uuid: str) -> ResponseReturnValue:
    entry, row = load_trashed_environment(slug, entry_uuid)
    with unit_of_work():
        trash.restore_environment(entry, signed_in(), installation().adapters.repositories)
    flash(_("%(name)s is back. What ran starts again now.", name=row.name), "success")
    return redirect(url_for("deployments.dashboard", slug=slug), 303)


@blueprint.post("/applications/<slug>/trash/domains/<domain_uuid>/restore/")
@requires(Permission.DOMAINS_UPDATE)
def restore_domain(slug: str, domain_uuid: str) -> ResponseReturnValue:
    row = load_trashed_domain(slug, domain_uuid)[1]
    with unit_of_work():
        domains.restore_domain(row, signed_in())
    flash(_("%(name)s is back.", name=row.host), "success")
    return redirect(url_for("trash.application", slug=slug), 303)


# For good ---------------------------------------------------------------------------------------


@blueprint.route("/organisations/<slug>/trash/<entry_uuid>/delete/", methods=["GET", "POST"])
@requires(Permission.TRASH_UPDATE)
def delete_application_now(slug: str, entry_uuid: str) -> ResponseReturnValue:
    entry, row = load_trashed_application(slug, entry_uuid)
    form = ConfirmationForm()
    if form.is_done(row.name, lambda: trash.begin_deletion(entry, signed_in())):
        flash(_("%(name)s is being deleted for good.", name=row.name), "success")
        return redirect(url_for("trash.organisation", slug=slug), 303)
    return render_template(
        "lifecycle/delete_application_now.html",
        organisation=row.organisation,
        row=row,
        form=form,
        contents=queries.count_contents([row.id])[row.id],
    )


@blueprint.route(
    "/applications/<slug>/trash/environments/<entry_uuid>/delete/", methods=["GET", "POST"]
)
@requires(Permission.ENVIRONMENT_DELETE)
def delete_environment_now(slug: str, entry_uuid: str) -> ResponseReturnValue:
    entry, row = load_trashed_environment(slug, entry_uuid)
    form = ConfirmationForm()
    if form.is_done(row.name, lambda: trash.begin_deletion(entry, signed_in())):
        flash(_("%(name)s is being deleted for good.", name=row.name), "success")
        return redirect(url_for("trash.application", slug=slug), 303)
    counts = queries.count_environment_contents([row.id])[row.id]
    there = {"environment": row, "contents": counts}
    return _confirm("delete_environment_now", row.application, form, **there)


@blueprint.route(
    "/applications/<slug>/trash/domains/<domain_uuid>/delete/", methods=["GET", "POST"]
)
@requires(Permission.DOMAINS_UPDATE)
def delete_domain_now(slug: str, domain_uuid: str) -> ResponseReturnValue:
    application, row = load_trashed_domain(slug, domain_uuid)
    host = row.host
    form = ConfirmationForm()
    if form.is_done(host, lambda: give_up_trashed_host(row, signed_in())):
        flash(_("%(name)s is deleted for good.", name=host), "success")
        return redirect(url_for("trash.application", slug=slug), 303)
    return _confirm("delete_domain_now", application, form, domain=row)


# ------------------------------------------------------------------------------------------------


def _confirm(page: str, application: Application, form: ConfirmationForm, **more: object) -> str:
    rights = rights_on(application, signed_in())
    until = now() + datetime.timedelta(seconds=_keeps())
    return render_template(
        f"lifecycle/{page}.html",
        application=application,
        rights=rights,
        form=form,
        until=until,
        **more,
    )
