"""Who asks, and the applications, environments and services they may look at."""

from __future__ import annotations

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.applications.models import Application
from app.client_api import queries, shapes
from app.client_api.access import authorise, load_application, load_environment, shown_token
from app.client_api.answers import address, listed, make_blueprint
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db
from app.permissions import Permission
from app.repositories.queries import find_repository
from app.web.access import hide, public

blueprint = make_blueprint("client_applications")


@blueprint.get("/iam/v3/me/")
@public
def me() -> ResponseReturnValue:
    """The person behind the token; how clients look whether it is good."""
    return jsonify(shapes.show_person(shown_token().user))


@blueprint.get("/apps/v3/applications/")
@public
def applications() -> ResponseReturnValue:
    """`?slug=` names one."""
    query = queries.list_applications(shown_token())
    if slug := request.args.get("slug"):
        query = query.where(Application.slug == slug)
    return listed(query, shapes.show_application)


@blueprint.get("/apps/v3/applications/<uuid>/")
@public
def application(uuid: str) -> ResponseReturnValue:
    found = load_application(uuid, shown_token(), Permission.APPLICATION_READ)
    return jsonify(shapes.show_application(found))


@blueprint.get("/apps/v3/repositories/<uuid>/")
@public
def repository(uuid: str) -> ResponseReturnValue:
    """Where it is cloned from: over HTTP, for Git shows the same token of `.netrc`."""
    found, token = find_repository(uuid), shown_token()
    owner = db.session.get(Application, found.application_id) if found else None
    is_there = owner is not None and owner.trashed_at is None
    of = authorise(owner if is_there else None, token, Permission.REPOSITORY_READ, "repository")
    home = address("repositories.serve", slug=of.slug).removesuffix("/info/refs")
    return jsonify(uuid=uuid, application=of.uuid, dsn=home, state="CLONED")


@blueprint.get("/apps/v3/environments/")
@public
def environments() -> ResponseReturnValue:
    """Of `?application=`, or of all; one that `?slug=` names in vain is not found, since clients
    take the first of a list without looking whether there is one."""
    token, uuid, slug = shown_token(), request.args.get("application"), request.args.get("slug")
    query = select(Environment).where(is_in_use()).order_by(Environment.id)
    if uuid:
        found = load_application(uuid, token, Permission.APPLICATION_READ)
        query = query.where(Environment.application_id == found.id)
    else:
        mine = queries.list_applications(token).order_by(None).with_only_columns(Application.id)
        query = query.where(Environment.application_id.in_(mine))
    if slug:
        query = query.where(Environment.slug == slug)
        if db.session.scalar(query.limit(1)) is None:
            raise hide("environment")
    return listed(query, shapes.show_environment)


@blueprint.get("/apps/v3/environments/<uuid>/")
@public
def environment(uuid: str) -> ResponseReturnValue:
    found = load_environment(uuid, shown_token(), Permission.APPLICATION_READ)
    return jsonify(shapes.show_environment(found))


@blueprint.get("/apps/v3/service-instances/")
@public
def service_instances() -> ResponseReturnValue:
    """Of `?environment=`."""
    uuid = request.args.get("environment", "")
    found = load_environment(uuid, shown_token(), Permission.SERVICES_READ)
    return listed(queries.list_instances(found.id), shapes.show_instance)
