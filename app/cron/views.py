"""The cron jobs of an environment, their runs, and what can be done there."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.cron import operations, pages, queries
from app.cron.forms import CronJobForm, form_of
from app.cron.schedules import in_words, zone_names
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid
from app.logs.queries import log_store
from app.permissions import Permission
from app.plans.queries import load_plan
from app.runtime.models import CronJob
from app.transactions import unit_of_work
from app.web.access import hide, requires
from app.web.paging import paged

blueprint = Blueprint(
    "cron", __name__, url_prefix="/applications/<slug>/environments/<name>/cron-jobs"
)


@blueprint.get("/")
@requires(Permission.DEPLOYMENT_READ)
def jobs(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return render_template(
        "cron/jobs.html",
        rows=pages.load_rows(environment),
        environments=list_environments(environment.application_id),
        limit=load_plan(environment.application_id).cron_seconds,
        **_frame(environment),
    )


@blueprint.get("/new/")
@requires(Permission.CRON_UPDATE)
def new(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return _form_page(environment, CronJobForm(zone=signed_in().time_zone), None)


@blueprint.post("/new/")
@requires(Permission.CRON_UPDATE)
def add(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = CronJobForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.add_job(environment, form.draft(), signed_in())
        except Invalid as error:
            form.refuse(error)
        else:
            flash(_("Saved. It runs from the next deployment on."), "success")
            return _back(slug, name)
    return _form_page(environment, form, None), 400


@blueprint.get("/<job_uuid>/edit/")
@requires(Permission.CRON_UPDATE)
def edit(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = _load_job(environment, job_uuid)
    return _form_page(environment, form_of(row), row)


@blueprint.post("/<job_uuid>/edit/")
@requires(Permission.CRON_UPDATE)
def change(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row, form = _load_job(environment, job_uuid), CronJobForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.change_job(environment, row, form.draft(), signed_in())
        except Invalid as error:
            form.refuse(error)
        else:
            flash(_("Saved. It takes effect at the next deployment."), "success")
            return _back(slug, name)
    return _form_page(environment, form, row), 400


@blueprint.post("/<job_uuid>/pause/")
@requires(Permission.CRON_UPDATE)
def pause(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = _load_job(environment, job_uuid)
    with unit_of_work():
        operations.pause_job(environment, row, True, signed_in())
    flash(_("It is paused from the next deployment on."), "success")
    return _back(slug, name)


@blueprint.post("/<job_uuid>/resume/")
@requires(Permission.CRON_UPDATE)
def resume(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = _load_job(environment, job_uuid)
    with unit_of_work():
        operations.pause_job(environment, row, False, signed_in())
    flash(_("It runs again from the next deployment on."), "success")
    return _back(slug, name)


@blueprint.post("/<job_uuid>/remove/")
@requires(Permission.CRON_UPDATE)
def remove(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = _load_job(environment, job_uuid)
    label = row.label
    with unit_of_work():
        operations.remove_job(environment, row, signed_in())
    flash(_("“%(label)s” is removed at the next deployment.", label=label), "success")
    return _back(slug, name)


@blueprint.post("/<job_uuid>/run/")
@requires(Permission.CRON_UPDATE)
def run_now(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    is_written = queries.find_job(environment.id, job_uuid) is not None
    if not is_written and queries.find_released_job(environment.id, job_uuid) is None:
        raise hide("cron job")
    with unit_of_work():
        uuid = operations.request_run(environment, job_uuid, signed_in()).uuid
    return redirect(url_for("cron.run", slug=slug, name=name, run_uuid=uuid), 303)


@blueprint.get("/<job_uuid>/")
@requires(Permission.DEPLOYMENT_READ)
def job(slug: str, name: str, job_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = pages.find_row(environment, job_uuid)
    page = paged(queries.list_runs(environment.id, job_uuid))
    if row is None and not page.rows:
        raise hide("cron job")
    return render_template(
        "cron/job.html",
        row=row,
        label=row.shown.label if row else page.rows[0].label,
        page=page,
        **_frame(environment),
    )


@blueprint.get("/runs/<run_uuid>/")
@requires(Permission.LOGS_READ)
def run(slug: str, name: str, run_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    row = queries.find_run(environment.id, run_uuid)
    if row is None:
        raise hide("run")
    return render_template(
        "cron/run.html",
        row=row,
        lines=log_store().cron_run(environment.uuid, row.uuid).read_all(),
        is_released=queries.find_released_job(environment.id, row.job_uuid) is not None,
        **_frame(environment),
    )


def _load_job(environment: Environment, uuid: str) -> CronJob:
    row = queries.find_job(environment.id, uuid)
    if row is None:
        raise hide("cron job")
    return row


def _back(slug: str, name: str) -> ResponseReturnValue:
    return redirect(url_for("cron.jobs", slug=slug, name=name), 303)


def _form_page(environment: Environment, form: CronJobForm, row: CronJob | None) -> str:
    return render_template(
        "cron/form.html",
        form=form,
        row=row,
        zones=zone_names().values(),
        limit=load_plan(environment.application_id).cron_seconds,
        **_frame(environment),
    )


def _frame(environment: Environment) -> dict[str, object]:
    """What every one of these pages needs."""
    return {
        "application": environment.application,
        "environment": environment,
        "rights": rights_on(environment.application, signed_in()),
        "in_words": in_words,
    }
