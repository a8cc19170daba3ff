"""Pages of the processes beside the web server."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.access import load_application
from app.applications.models import Application
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.errors import Invalid, NotFound
from app.permissions import Permission
from app.runtime.models import WorkerProcess
from app.transactions import unit_of_work
from app.web.access import requires
from app.workers import operations
from app.workers.forms import CeleryForm, NewProcessForm, ProcessForm
from app.workers.operations import Wish
from app.workers.queries import find_process, load_page

blueprint = Blueprint("workers", __name__, url_prefix="/applications/<slug>")


@blueprint.get("/workers/")
@requires(Permission.APPLICATION_READ)
def workers(slug: str) -> ResponseReturnValue:
    return _page(load_application(slug), NewProcessForm(), CeleryForm())


@blueprint.post("/workers/")
@requires(Permission.WORKERS_UPDATE)
def add(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = NewProcessForm()
    if form.validate_on_submit():
        try:
            wish = Wish(form.name.data, form.command.data, form.count.data)
            with unit_of_work():
                operations.add_process(application, wish, signed_in())
            flash(_("The process runs from the next deployment on."), "success")
            return redirect(url_for("workers.workers", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(application, form, CeleryForm())


@blueprint.post("/workers/celery/")
@requires(Permission.WORKERS_UPDATE)
def set_up_celery(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    form = CeleryForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.set_up_celery(
                    application, form.workers.data, form.with_camera.data, signed_in()
                )
            flash(_("Celery runs from the next deployment on."), "success")
            return redirect(url_for("workers.workers", slug=slug), 303)
        except Invalid as error:
            form.refuse(Invalid(error.sentence))
    return _page(application, NewProcessForm(), form)


@blueprint.route("/workers/<uuid>/", methods=["GET", "POST"])
@requires(Permission.WORKERS_UPDATE)
def change(slug: str, uuid: str) -> ResponseReturnValue:
    application = load_application(slug)
    row = _load(application, uuid)
    form = ProcessForm(obj=row)
    if form.validate_on_submit():
        try:
            wish = Wish(row.name, form.command.data, form.count.data)
            with unit_of_work():
                operations.change_process(application, row, wish, signed_in())
            flash(_("Saved. It takes effect at the next deployment."), "success")
            return redirect(url_for("workers.workers", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    rights = rights_on(application, signed_in())
    return render_template(
        "workers/change.html", application=application, rights=rights, process=row, form=form
    )


@blueprint.post("/workers/<uuid>/remove/")
@requires(Permission.WORKERS_UPDATE)
def remove(slug: str, uuid: str) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        operations.remove_process(application, _load(application, uuid), signed_in())
    flash(_("What runs of it is stopped by the next deployment."), "success")
    return redirect(url_for("workers.workers", slug=slug), 303)


@blueprint.post("/environments/<name>/workers/<process>/restart/")
@requires(Permission.WORKERS_UPDATE)
def restart(slug: str, name: str, process: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        operations.ask_for_restart(environment, process, signed_in())
    flash(_("“%(process)s” is being restarted.", process=process), "success")
    return redirect(url_for("workers.workers", slug=slug), 303)


def _page(application: Application, form: NewProcessForm, celery: CeleryForm) -> str:
    return render_template(
        "workers/workers.html",
        application=application,
        rights=rights_on(application, signed_in()),
        page=load_page(application.id),
        form=form,
        celery_form=celery,
    )


def _load(application: Application, uuid: str) -> WorkerProcess:
    row = find_process(application.id, uuid)
    if row is None:
        raise NotFound(_("There is no such process."))
    return row
