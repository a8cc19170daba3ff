"""The backups of an environment: the list, one of them, taking, keeping and deleting."""

from __future__ import annotations

import zoneinfo

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.backups import downloading, operations, queries
from app.backups.access import load_backup, load_part
from app.backups.content import list_backed_up
from app.backups.forms import BackupForm, RestoreForm, ScheduleForm
from app.backups.models import Backup
from app.backups.page import (
    Row,
    counted,
    is_busy,
    load_downloads,
    part_name,
)
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid
from app.extensions import db
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint(
    "backups", __name__, url_prefix="/applications/<slug>/environments/<name>/backups"
)
RESTORATIONS_SHOWN = 10


@blueprint.record_once
def tell_templates(state: BlueprintSetupState) -> None:
    """For cards of other rooms: which environments of an application miss a fresh backup."""
    known = {"environments_without_fresh_backup": queries.environments_without_fresh}
    state.app.jinja_env.globals.update(known)


@blueprint.get("/")
@requires(Permission.BACKUPS_READ)
def backups(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    if Permission.APPLICATION_READ not in rights_on(environment.application, signed_in()):
        return redirect(url_for("site_backups.backups", slug=slug))
    return _page(environment, BackupForm(), ScheduleForm.of(queries.find_schedule(environment.id)))


@blueprint.post("/")
@requires(Permission.BACKUPS_CREATE)
def take(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = BackupForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.request_backup(environment, form.wanted(), signed_in())
            flash(_("The backup is being taken. This page shows how far it is."), "success")
            return _back(slug, name)
        except Invalid as error:
            form.refuse(error)
    return _page(environment, form, ScheduleForm.of(queries.find_schedule(environment.id)))


@blueprint.post("/schedule/")
@requires(Permission.BACKUPS_RESTORE)
def schedule(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = ScheduleForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.set_schedule(environment, form.wanted(), signed_in())
            flash(_("Saved."), "success")
            return _back(slug, name)
        except Invalid as error:
            form.refuse(error)
    return _page(environment, BackupForm(formdata=None), form)


@blueprint.get("/<backup_uuid>/")
@requires(Permission.BACKUPS_READ)
def backup(slug: str, name: str, backup_uuid: str) -> ResponseReturnValue:
    found = load_backup(slug, name, backup_uuid)
    rights = rights_on(found.environment.application, signed_in())
    if Permission.APPLICATION_READ not in rights:
        return redirect(url_for("site_backups.backups", slug=slug))
    row, downloads = Row(found), load_downloads(signed_in(), found)
    return render_template(
        "backups/backup.html",
        application=found.environment.application,
        environment=found.environment,
        rights=rights,
        row=row,
        part_name=part_name,
        counted=counted,
        downloads=downloads,
        is_busy=row.is_active or any(not one.status.is_final for one in downloads.values()),
    )


@blueprint.route("/<backup_uuid>/delete/", methods=["GET", "POST"])
@requires(Permission.BACKUPS_RESTORE)
def delete(slug: str, name: str, backup_uuid: str) -> ResponseReturnValue:
    found = load_backup(slug, name, backup_uuid)
    form = RestoreForm()
    if form.validate_on_submit():
        try:
            form.require(found.environment.name)
            with unit_of_work():
                operations.delete_backup(found, signed_in())
            flash(_("The backup is deleted."), "success")
            return _back(slug, name)
        except Invalid as error:
            form.refuse(error)
    return _deletion(found, form)


def _deletion(found: Backup, form: RestoreForm) -> ResponseReturnValue:
    return render_template(
        "backups/delete.html",
        application=found.environment.application,
        environment=found.environment,
        rights=rights_on(found.environment.application, signed_in()),
        row=Row(found),
        newest=queries.find_newest_good(found.environment_id),
        part_name=part_name,
        form=form,
    )


@blueprint.post("/parts/<part_uuid>/download/")
@requires(Permission.BACKUPS_DOWNLOAD)
def prepare(slug: str, name: str, part_uuid: str) -> ResponseReturnValue:
    part = load_part(slug, name, part_uuid)
    uuid = part.backup.uuid
    with unit_of_work():
        downloading.prepare_download(part, signed_in())
    flash(_("It is being prepared. You are sent a link by mail when it is ready."), "success")
    return redirect(url_for("backups.backup", slug=slug, name=name, backup_uuid=uuid), 303)


def _back(slug: str, name: str) -> ResponseReturnValue:
    return redirect(url_for("backups.backups", slug=slug, name=name), 303)


def _page(
    environment: Environment, form: BackupForm, schedule_form: ScheduleForm
) -> ResponseReturnValue:
    page = paged(queries.list_backups(environment.id))
    rows = [Row(one) for one in page.rows]
    restorations = db.session.scalars(
        queries.list_restorations(environment.id).limit(RESTORATIONS_SHOWN)
    ).all()
    return render_template(
        "backups/backups.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        page=page,
        rows=rows,
        restorations=restorations,
        instances=list_backed_up(environment.id),
        newest=queries.find_newest_good(environment.id),
        proved=queries.find_newest_proved(environment.id),
        is_missing=environment.id in queries.environments_without_fresh(environment.application_id),
        schedule=queries.find_schedule(environment.id),
        zones=sorted(zoneinfo.available_timezones()),
        is_busy=is_busy(rows, restorations),
        form=form,
        schedule_form=schedule_form,
    )
