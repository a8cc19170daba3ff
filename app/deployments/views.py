"""An application's dashboard, and its deployments: asking, watching, cancelling, rolling back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.access import keeps_right, load_application
from app.applications.models import Application
from app.applications.queries import rights_on
from app.deployments import operations, queries
from app.deployments.cards import load_cards_to_compare
from app.deployments.deployment_page import deployment_events, describe, load_page
from app.deployments.models import Deployment, Release
from app.deployments.waiting import load_waiting, waiting_commits
from app.environments.access import load_environment
from app.environments.queries import list_environments
from app.errors import NotFound
from app.extensions import db
from app.installation import installation
from app.logs.queries import log_store
from app.permissions import Permission
from app.repositories.queries import load_repository
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.paging import paged
from app.web.streams import asked_position, event_stream

blueprint = Blueprint("deployments", __name__, url_prefix="/applications/<slug>")


@blueprint.app_context_processor
def offer_waiting() -> dict[str, Any]:
    """For pages of rooms below this one: `waiting_for(environment)`, what its next deployment
    would bring."""
    return {"waiting_for": lambda environment: load_waiting([environment])[environment.id]}


@blueprint.get("/")
@requires(Permission.APPLICATION_READ)
def dashboard(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    settings = installation().settings
    cards = load_cards_to_compare(application)
    return render_template(
        "deployments/dashboard.html",
        application=application,
        rights=rights_on(application, signed_in()),
        cards=cards,
        waiting=load_waiting([card.environment for card in cards]),
        is_empty=any(card.is_branch_missing for card in cards) and not _has_code(application),
        ssh_url=settings.ssh_url(application.slug),
        recent=paged(queries.list_deployments(application.id), 8).rows,
    )


def _has_code(application: Application) -> bool:
    """Whether anything was pushed yet; asked of Git, so only when a branch is missing."""
    key = load_repository(application.id).uuid
    return bool(installation().adapters.repositories.branches(key))


@blueprint.get("/deployments/")
@requires(Permission.DEPLOYMENT_READ)
def history(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    return render_template(
        "deployments/history.html",
        application=application,
        rights=rights_on(application, signed_in()),
        page=paged(queries.list_deployments(application.id)),
    )


@blueprint.post("/environments/<name>/deploy/")
@requires(Permission.DEPLOYMENT_CREATE)
def deploy(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        store = installation().adapters.repositories
        uuid = operations.request_deployment(environment, store, signed_in()).uuid
    return redirect(url_for("deployments.deployment", slug=slug, uuid=uuid), 303)


@blueprint.get("/environments/<name>/waiting/")
@requires(Permission.DEPLOYMENT_READ)
def waiting(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return render_template(
        "deployments/waiting.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        waiting=load_waiting([environment])[environment.id],
        commits=waiting_commits(environment),
    )


@blueprint.get("/environments/<name>/releases/")
@requires(Permission.DEPLOYMENT_READ)
def releases(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    return render_template(
        "deployments/releases.html",
        application=environment.application,
        environment=environment,
        rights=rights_on(environment.application, signed_in()),
        releases=queries.list_releases(environment.id),
        current=queries.find_current(environment.id),
    )


@blueprint.post("/environments/<name>/roll-back/<release_uuid>/")
@requires(Permission.DEPLOYMENT_CREATE)
def roll_back(slug: str, name: str, release_uuid: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        release = db.session.scalar(db.select(Release).where(Release.uuid == release_uuid))
        if release is None or release.environment_id != environment.id:
            raise NotFound(_("There is no such release."))
        uuid = operations.request_roll_back(environment, release, signed_in()).uuid
    return redirect(url_for("deployments.deployment", slug=slug, uuid=uuid), 303)


@blueprint.get("/deployments/<uuid>/")
@requires(Permission.DEPLOYMENT_READ)
def deployment(slug: str, uuid: str) -> ResponseReturnValue:
    application = load_application(slug)
    row = _load(application, uuid)
    return render_template(
        "deployments/deployment.html",
        application=application,
        rights=rights_on(application, signed_in()),
        page=load_page(row),
    )


@blueprint.post("/deployments/<uuid>/cancel/")
@requires(Permission.DEPLOYMENT_CREATE)
def cancel(slug: str, uuid: str) -> ResponseReturnValue:
    application = load_application(slug)
    with unit_of_work():
        operations.request_cancel(_load(application, uuid), signed_in())
    flash(_("The deployment is being stopped."), "success")
    return redirect(url_for("deployments.deployment", slug=slug, uuid=uuid), 303)


@blueprint.get("/deployments/<uuid>/log/")
@requires(Permission.DEPLOYMENT_READ)
def download_log(slug: str, uuid: str) -> ResponseReturnValue:
    row = _load(load_application(slug), uuid)
    response = Response(log_store().deployment(row.uuid).read_all(), mimetype="text/plain")
    name = f"{slug}-{row.environment.slug}-{row.commit[:12]}.log"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/deployments/<uuid>/events/")
@requires(Permission.DEPLOYMENT_READ)
def events(slug: str, uuid: str) -> ResponseReturnValue:
    row = _load(load_application(slug), uuid)
    poll, is_over = deployment_events(row.id, asked_position(0))
    may_look = keeps_right(slug, Permission.DEPLOYMENT_READ)
    return event_stream(signed_in().id, poll, is_over, may_look)


@blueprint.get("/deployments/<uuid>/state/")
@requires(Permission.DEPLOYMENT_READ)
def state(slug: str, uuid: str) -> ResponseReturnValue:
    """Where it stands, as JSON, for pages and scripts that wait for the end."""
    return describe(_load(load_application(slug), uuid))


def _load(application: Application, uuid: str) -> Deployment:
    row = queries.find_deployment(uuid)
    is_here = row is not None and row.environment.application_id == application.id
    if row is None or not is_here or row.environment.is_trashed:
        raise NotFound(_("There is no such deployment."))
    return row
