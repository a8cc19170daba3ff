"""The services of an environment: the page, and what can be done there."""

from __future__ import annotations

import humanize
from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.adapters.services import ServiceKind
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid
from app.installation import installation
from app.permissions import Permission
from app.services import operations, queries
from app.services.access import load_instance
from app.services.extensions import allowed_extensions
from app.services.forms import PrefixForm, ServiceForm, ShareForm
from app.services.models import DEFAULT
from app.services.operations import NewService
from app.services.page import CONNECTIONS, list_offers, list_shared, load_rows
from app.services.uses import use_of
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint(
    "services", __name__, url_prefix="/applications/<slug>/environments/<name>/services"
)


@blueprint.get("/")
@requires(Permission.SERVICES_READ)
def services(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return _page(environment, _form(environment))


@blueprint.post("/")
@requires(Permission.SERVICES_UPDATE)
def add(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = _form(environment)
    if form.validate_on_submit():
        try:
            with unit_of_work():
                row = operations.add_instance(environment, _wanted(form), signed_in())
                uuid, words = row.uuid, row.name
            flash(_("%(name)s comes with the next deployment.", name=words), "success")
            return _back(slug, name, uuid)
        except Invalid as error:
            form.refuse(error)
    return _page(environment, form)


def _wanted(form: ServiceForm) -> NewService:
    server = queries.find_server(form.server.data or "")
    if server is None:
        raise Invalid(_("Choose one of the services on offer."), "server")
    # Ticks of PostgreSQL's stay when somebody changes their mind about the kind.
    is_postgresql = server.kind == ServiceKind.POSTGRESQL
    return NewService(server, form.prefix.data, form.extensions.data if is_postgresql else ())


@blueprint.post("/<service_uuid>/provision/")
@requires(Permission.SERVICES_UPDATE)
def provision(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    with unit_of_work():
        operations.request_provisioning(row, signed_in())
    flash(_("It is being provisioned. The site is told of it at the next deployment."), "success")
    return _back(slug, name, service_uuid)


@blueprint.post("/<service_uuid>/attach/")
@requires(Permission.SERVICES_UPDATE)
def attach(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    with unit_of_work():
        operations.attach_instance(row, signed_in())
    flash(_("Saved. It takes effect at the next deployment."), "success")
    return _back(slug, name, service_uuid)


@blueprint.post("/<service_uuid>/detach/")
@requires(Permission.SERVICES_UPDATE)
def detach(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    with unit_of_work():
        operations.detach_instance(row, signed_in())
    flash(_("Saved. It takes effect at the next deployment, and its data stays."), "success")
    return _back(slug, name, service_uuid)


@blueprint.post("/<service_uuid>/rename/")
@requires(Permission.SERVICES_UPDATE)
def rename(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    form = PrefixForm()
    if not form.validate_on_submit():
        raise Invalid(_("Enter a prefix."))
    with unit_of_work():
        operations.rename_instance(row, form.prefix.data, signed_in())
    flash(_("Saved. The site is told of the new prefix at the next deployment."), "success")
    return _back(slug, name, service_uuid)


@blueprint.post("/<service_uuid>/reveal/")
@requires(Permission.VARIABLES_REVEAL)
def reveal(slug: str, name: str, service_uuid: str) -> ResponseReturnValue:
    row = load_instance(slug, name, service_uuid)
    with unit_of_work():
        use = use_of(row)
        operations.record_reveal(row, signed_in())
    page = render_template(
        "services/reveal.html",
        application=row.environment.application,
        environment=row.environment,
        rights=rights_on(row.environment.application, signed_in()),
        use=use,
    )
    return make_response(page, {"Cache-Control": "no-store"})


def _back(slug: str, name: str, uuid: str) -> ResponseReturnValue:
    return redirect(
        url_for("services.services", slug=slug, name=name, _anchor=f"service-{uuid}"), 303
    )


def _form(environment: Environment) -> ServiceForm:
    form = ServiceForm()
    form.offer(list_offers(environment), allowed_extensions())
    return form


def _page(environment: Environment, form: ServiceForm) -> ResponseReturnValue:
    rows = load_rows(environment)
    return render_template(
        "services/services.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        rows=rows,
        prefixes={row.instance.uuid: _prefix_form(row.instance.prefix) for row in rows},
        form=form,
        shared=list_shared(environment, rows),
        share_form=ShareForm(formdata=None),
        accept_form=_prefix_form(DEFAULT),
        most_connections=CONNECTIONS,
        is_busy=any(row.state in queries.BUSY for row in rows),
        keeps=humanize.naturaldelta(installation().settings.times.trash),
    )


def _prefix_form(prefix: str) -> PrefixForm:
    # By the name of the field alone, the library would put it in front of all names of fields.
    return PrefixForm(formdata=None, data={"prefix": prefix})
