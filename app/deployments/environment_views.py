"""Environments and the repository: what each follows, and what waits in it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.access import keeps_right, load_application
from app.applications.queries import rights_on
from app.deployments.cards import load_cards
from app.deployments.forms import EnvironmentForm
from app.deployments.process_states import process_states
from app.deployments.queries import current_releases
from app.deployments.runtime_logs import WEB, runtime_events, runtime_tail
from app.environments import operations
from app.environments.access import load_environment
from app.environments.models import Environment
from app.environments.operations import EnvironmentSettings
from app.environments.queries import find_environment, list_environments
from app.errors import Invalid
from app.installation import installation
from app.permissions import Permission
from app.plans.queries import load_plan
from app.repositories.operations import refresh_branch
from app.repositories.queries import load_repository
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.streams import asked_position, event_stream

blueprint = Blueprint("environments", __name__, url_prefix="/applications/<slug>")

COMMITS_SHOWN = 50


@blueprint.get("/environments/")
@requires(Permission.APPLICATION_READ)
def environments(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    return render_template(
        "environments/list.html",
        application=application,
        rights=rights_on(application, signed_in()),
        cards=load_cards([application])[application.id],
    )


@blueprint.route("/environments/<name>/", methods=["GET", "POST"])
@requires(Permission.ENVIRONMENT_UPDATE)
def settings(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    form = EnvironmentForm(obj=environment)
    if form.validate_on_submit():
        try:
            _save(environment, form)
            flash(_("Saved. It takes effect at the next deployment."), "success")
            return redirect(url_for("environments.environments", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    application = environment.application
    return render_template(
        "environments/settings.html",
        application=application,
        environment=environment,
        rights=rights_on(application, signed_in()),
        form=form,
    )


def _save(environment: Environment, form: EnvironmentForm) -> None:
    wanted = EnvironmentSettings(
        form.branch.data, form.containers.data, form.is_deployed_on_push.data, form.name.data
    )
    with unit_of_work():
        allowed = load_plan(environment.application_id).live_containers
        operations.update_environment(environment, wanted, allowed, signed_in())
        refresh_branch(environment, installation().adapters.repositories)


@blueprint.get("/repository/")
@requires(Permission.REPOSITORY_READ)
def repository(slug: str) -> ResponseReturnValue:
    application = load_application(slug)
    here = installation()
    store = here.adapters.repositories
    row = load_repository(application.id)
    branches = store.branches(row.uuid)
    branch = request.args.get("branch", row.default_branch)
    return render_template(
        "environments/repository.html",
        application=application,
        rights=rights_on(application, signed_in()),
        branches=branches,
        branch=branch,
        commits=store.log(row.uuid, branch, None, COMMITS_SHOWN) if branch in branches else [],
        size=store.size(row.uuid),
        ssh_url=here.settings.ssh_url(application.slug),
        http_url=f"{here.settings.panel_url}/git/{application.slug}.git",
    )


@blueprint.get("/environments/<name>/logs/")
@requires(Permission.LOGS_READ)
def logs(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    process = request.args.get("process", "")
    tail = runtime_tail(environment, process)
    states = process_states(current_releases([environment.id])).get(environment.id, ())
    return render_template(
        "environments/logs.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        lines=tail.text,
        position=tail.position,
        process=process,
        processes=[WEB, *(state.process.name for state in states)],
    )


@blueprint.get("/environments/<name>/logs/stream/")
@requires(Permission.LOGS_READ)
def log_stream(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    position = asked_position(runtime_tail(environment).position)
    poll = runtime_events(environment.uuid, position, request.args.get("process", ""))
    number, has_right = environment.application_id, keeps_right(slug, Permission.LOGS_READ)

    def may_look() -> bool:
        return has_right() and find_environment(number, name) is not None

    return event_stream(signed_in().id, poll, is_over=lambda: False, may_look=may_look)
