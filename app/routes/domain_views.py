"""The domains of an environment: the page, and what can be done there."""

from __future__ import annotations

import humanize
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.domains import operations, queries
from app.domains.checks import Claim, look
from app.domains.models import Domain
from app.domains.records import split_addresses
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.errors import Invalid
from app.extensions import db
from app.installation import installation
from app.permissions import Permission
from app.routes.domain_page import load_rows
from app.routes.forms import USES, DomainForm, UseForm
from app.transactions import unit_of_work
from app.web.access import hide, requires
from app.web.extensions import limiter
from app.web.throttles import asking_person

blueprint = Blueprint(
    "domains", __name__, url_prefix="/applications/<slug>/environments/<name>/domains"
)

LOOKS_PER_PERSON = "12 per minute"
"""Each asks name servers and perhaps a web server that are not ours."""


@blueprint.get("/")
@requires(Permission.APPLICATION_READ)
def domains(slug: str, name: str) -> ResponseReturnValue:
    return _page(load_environment(slug, name), DomainForm())


@blueprint.post("/")
@requires(Permission.DOMAINS_UPDATE)
def claim(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = DomainForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                row = operations.claim_domain(
                    environment, form.host.data, signed_in(), installation().settings
                )
                uuid, host = row.uuid, row.host
            flash(_("%(host)s is noted. Prove now that it is yours.", host=host), "success")
            return _back(slug, name, uuid)
        except Invalid as error:
            form.refuse(error)
    return _page(environment, form)


@blueprint.post("/<domain_uuid>/check/")
@limiter.limit(LOOKS_PER_PERSON, key_func=asking_person)
@requires(Permission.DOMAINS_UPDATE)
def check(slug: str, name: str, domain_uuid: str) -> ResponseReturnValue:
    """Look outside first, with no transaction open; then note what was found."""
    domain = _load_domain(load_environment(slug, name), domain_uuid)
    here = installation()
    addresses = split_addresses(here.settings.sites_addresses)
    claim_ = Claim.of(domain, queries.platform_host_of(domain.environment_id), addresses)
    db.session.rollback()  # end the reading: others are waited for now
    finding = look(claim_, here.adapters.outbound)
    with unit_of_work():
        is_proved = operations.note_finding(domain, finding, signed_in())
    if is_proved:
        sentence = _(
            "%(host)s is yours. It is served from the next deployment on.", host=claim_.host
        )
        flash(sentence, "success")
    return _back(slug, name, domain_uuid)


@blueprint.post("/<domain_uuid>/use/")
@requires(Permission.DOMAINS_UPDATE)
def change_use(slug: str, name: str, domain_uuid: str) -> ResponseReturnValue:
    domain = _load_domain(load_environment(slug, name), domain_uuid)
    form = UseForm()
    if not form.validate_on_submit():
        raise Invalid(_("Choose one of the uses."))
    kind, redirect_by = USES[form.use.data]
    with unit_of_work():
        operations.change_use(domain, kind, redirect_by, signed_in())
    flash(_("Saved. It takes effect at the next deployment."), "success")
    return _back(slug, name, domain_uuid)


@blueprint.post("/<domain_uuid>/remove/")
@requires(Permission.DOMAINS_UPDATE)
def remove(slug: str, name: str, domain_uuid: str) -> ResponseReturnValue:
    domain = _load_domain(load_environment(slug, name), domain_uuid)
    host, was_proved = domain.host, domain.proved_at is not None
    with unit_of_work():
        operations.trash_domain(domain, signed_in())
    sentence = _("%(host)s is removed.", host=host)
    if was_proved:
        sentence = _("%(host)s is in the trash. It is served until the next deployment.", host=host)
    flash(sentence, "success")
    return _back(slug, name)


def _load_domain(environment: Environment, uuid: str) -> Domain:
    domain = queries.find_own_domain(environment.id, uuid)
    if domain is None:
        raise hide("domain")
    return domain


def _back(slug: str, name: str, uuid: str = "") -> ResponseReturnValue:
    anchor = f"domain-{uuid}" if uuid else None
    return redirect(url_for("domains.domains", slug=slug, name=name, _anchor=anchor), 303)


def _page(environment: Environment, form: DomainForm) -> ResponseReturnValue:
    settings = installation().settings
    rows = load_rows(environment, settings)
    environments = list_environments(environment.application_id)
    return render_template(
        "domains/domains.html",
        application=environment.application,
        environment=environment,
        environments=environments,
        live=next((row for row in environments if row.is_live), None),
        rights=rights_on(environment.application, signed_in()),
        rows=rows,
        own=[row for row in rows if row.is_own],
        may_have_domains=operations.may_have_domains(environment, settings),
        uses={row.domain.uuid: UseForm(use=row.use, formdata=None) for row in rows},
        form=form,
        keeps=humanize.naturaldelta(settings.times.trash),
    )
