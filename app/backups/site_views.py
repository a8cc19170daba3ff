"""Backups for people who edit a site: take one, see how it stands, ask for one to be restored."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.backups import operations, queries, restoring
from app.backups.access import load_site_environment
from app.backups.content import list_backed_up
from app.backups.forms import AskForm
from app.backups.models import BackupPart, WorkStatus
from app.backups.operations import NewBackup
from app.backups.page import Row, is_busy, plain_part_name, plain_restored
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import hide, requires
from app.web.frame import exact

blueprint = Blueprint("site_backups", __name__, url_prefix="/sites/<slug>/backups")

SHOWN = 20
RESTORATIONS_SHOWN = 5


@blueprint.get("/")
@requires(Permission.BACKUPS_READ)
def backups(slug: str) -> ResponseReturnValue:
    return _page(load_site_environment(slug), AskForm())


@blueprint.post("/")
@requires(Permission.BACKUPS_CREATE)
def take(slug: str) -> ResponseReturnValue:
    environment = load_site_environment(slug)
    with unit_of_work():
        operations.request_backup(environment, NewBackup(), signed_in())
    flash(_("The backup is being taken. This page shows when it is done."), "success")
    return redirect(url_for("site_backups.backups", slug=slug), 303)


@blueprint.post("/ask/")
@requires(Permission.BACKUPS_CREATE)
def ask(slug: str) -> ResponseReturnValue:
    environment = load_site_environment(slug)
    form = AskForm()
    if form.validate_on_submit():
        part = queries.find_part(environment.id, form.part.data or "")
        if part is None:
            raise hide("backup")
        try:
            with unit_of_work():
                restoring.ask_for_restore(part, signed_in(), form.words.data or "")
            flash(_("Those who may restore have been written to. They will answer you."), "success")
            return redirect(url_for("site_backups.backups", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(environment, form)


def _page(environment: Environment, form: AskForm) -> ResponseReturnValue:
    found = db.session.scalars(queries.list_backups(environment.id).limit(SHOWN)).all()
    rows = [Row(one) for one in found]
    restorations = db.session.scalars(
        queries.list_restorations(environment.id).limit(RESTORATIONS_SHOWN)
    ).all()
    good = [part for row in rows for part in row.backup.parts]
    form.part.choices = [
        (part.uuid, _choice(part)) for part in good if part.status == WorkStatus.SUCCEEDED
    ]
    return render_template(
        "backups/site.html",
        application=environment.application,
        rights=rights_on(environment.application, signed_in()),
        rows=rows,
        restorations=restorations,
        restored=plain_restored,
        has_data=bool(list_backed_up(environment.id)),
        newest=queries.find_newest_good(environment.id),
        proved=queries.find_newest_proved(environment.id),
        is_missing=environment.id in queries.environments_without_fresh(environment.application_id),
        is_busy=is_busy(rows, restorations),
        form=form,
    )


def _choice(part: BackupPart) -> str:
    when = exact(part.backup.started_at or part.backup.created_at)
    return str(_("%(what)s of %(when)s", what=plain_part_name(part), when=when))
