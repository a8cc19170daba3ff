"""What operators see and do: the machines, incidents, people, and every audit line."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.accounts.models import User
from app.accounts.operators import appoint_operator, dismiss_operator, sign_out_everywhere
from app.audit.filters import read_filter
from app.audit.queries import list_lines
from app.errors import Invalid, NotFound
from app.extensions import db
from app.permissions import Permission
from app.platform_status import machines, operations, queries
from app.platform_status.access import load_incident, load_installation
from app.platform_status.forms import IncidentForm, UpdateForm
from app.platform_status.models import Impact
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint("operator", __name__, url_prefix="/operator")


@blueprint.get("/")
@requires(Permission.INSTALLATION_OPERATE)
def overview() -> ResponseReturnValue:
    here = load_installation()
    return render_template(
        "operator/overview.html",
        components=queries.list_components(),
        found=machines.look(here.settings),
    )


@blueprint.get("/incidents/")
@requires(Permission.INSTALLATION_OPERATE)
def incidents() -> ResponseReturnValue:
    load_installation()
    page = paged(queries.list_incidents(), size=20)
    return render_template("operator/incidents.html", page=page, form=IncidentForm())


@blueprint.post("/incidents/")
@requires(Permission.INSTALLATION_OPERATE)
def open_incident() -> ResponseReturnValue:
    load_installation()
    form = IncidentForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                impact = Impact(form.impact.data)
                operations.open_incident(form.title.data, impact, form.text.data, signed_in())
            flash(_("Everybody is told now: on the status page and above every page."), "success")
            return redirect(url_for("operator.incidents"), 303)
        except Invalid as error:
            form.refuse(error)
    page = paged(queries.list_incidents(), size=20)
    return render_template("operator/incidents.html", page=page, form=form)


@blueprint.get("/incidents/<uuid>/")
@requires(Permission.INSTALLATION_OPERATE)
def incident(uuid: str) -> ResponseReturnValue:
    row = load_incident(uuid)
    form = UpdateForm(data={"impact": row.impact.value})
    return render_template("operator/incident.html", incident=row, form=form)


@blueprint.post("/incidents/<uuid>/")
@requires(Permission.INSTALLATION_OPERATE)
def update_incident(uuid: str) -> ResponseReturnValue:
    row = load_incident(uuid)
    form = UpdateForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                if "resolve" in request.form:
                    operations.resolve_incident(row, form.text.data, signed_in())
                else:
                    impact = Impact(form.impact.data)
                    operations.update_incident(row, form.text.data, signed_in(), impact)
            flash(_("It is said."), "success")
            return redirect(url_for("operator.incident", uuid=uuid), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("operator/incident.html", incident=row, form=form)


@blueprint.get("/people/")
@requires(Permission.INSTALLATION_OPERATE)
def people() -> ResponseReturnValue:
    load_installation()
    words = request.args.get("q", "").strip()[:100]
    page = paged(machines.list_people(words))
    return render_template("operator/people.html", page=page, words=words)


@blueprint.post("/people/<uuid>/operator/")
@requires(Permission.INSTALLATION_OPERATE)
def change_operator(uuid: str) -> ResponseReturnValue:
    load_installation()
    person = _person(uuid)
    with unit_of_work():
        if person.is_operator:
            dismiss_operator(person, signed_in())
        else:
            appoint_operator(person, signed_in())
    flash(_("The right is changed."), "success")
    return redirect(url_for("operator.people", q=person.email), 303)


@blueprint.post("/people/<uuid>/sign-out/")
@requires(Permission.INSTALLATION_OPERATE)
def sign_out(uuid: str) -> ResponseReturnValue:
    load_installation()
    person = _person(uuid)
    with unit_of_work():
        sign_out_everywhere(person, signed_in())
    flash(_("They are signed out in every browser."), "success")
    return redirect(url_for("operator.people", q=person.email), 303)


def _person(uuid: str) -> User:
    person: User | None = db.session.scalar(db.select(User).where(User.uuid == uuid))
    if person is None:
        raise NotFound(_("There is no such person."))
    return person


@blueprint.get("/audit/")
@requires(Permission.INSTALLATION_OPERATE)
def audit() -> ResponseReturnValue:
    load_installation()
    wanted = read_filter(request.args)
    page = paged(list_lines(wanted))
    return render_template("operator/audit.html", page=page, wanted=wanted)
