"""The first start: an owner, an organisation and a demo application that is really deployed."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from app.accounts.models import User
from app.accounts.operators import appoint_operator
from app.accounts.queries import find_user
from app.applications.models import Starter
from app.applications.queries import find_application
from app.config import Settings
from app.deployments.models import DeploymentStatus
from app.deployments.operations import request_deployment
from app.deployments.queries import find_deployment
from app.domains.queries import primary_host
from app.environments.models import LIVE
from app.environments.queries import find_environment
from app.errors import Unavailable
from app.extensions import db
from app.factory import create_app
from app.installation import installation
from app.lifecycle.operations import NewApplication, create_application
from app.organisations.operations import rename_organisation, sign_up
from app.organisations.queries import list_organisations
from app.transactions import unit_of_work

EMAIL = "owner@example.org"
SLUG = "demo"
DEPLOY_SECONDS = 180


@dataclass(frozen=True)
class Demo:
    """How to look at it. `password` is known on the first start only."""

    email: str
    password: str | None
    url: str


def make_demo(settings: Settings) -> Demo | None:
    """Make and deploy the demo when the installation has nobody in it yet.

    Returns None when there are people and no demo. Raises `Unavailable` when the deployment
    fails, with the reason.
    """
    with create_app(settings).app_context():
        if db.session.scalar(db.select(User.id).limit(1)) is not None:
            return _present_demo(settings)
        password = secrets.token_urlsafe(9)
        with unit_of_work():
            owner = sign_up(EMAIL, "Owner", password)
            appoint_operator(owner, None)
            organisation = list_organisations(owner)[0]
            rename_organisation(organisation, "Demo", owner)
            create_application(
                NewApplication("Demo", SLUG, Starter.STATIC),
                organisation,
                owner,
                installation().adapters.repositories,
                settings,
            )
        _deploy_live()
        demo = _present_demo(settings)
        return Demo(EMAIL, password, demo.url if demo else "")


def _present_demo(settings: Settings) -> Demo | None:
    application = find_application(SLUG)
    live = find_environment(application.id, LIVE) if application else None
    if live is None:
        return None
    return Demo(EMAIL, None, settings.site_url(primary_host(live.id)))


def _deploy_live() -> None:
    started = time.monotonic()
    with unit_of_work():
        application = find_application(SLUG)
        live = find_environment(application.id, LIVE) if application else None
        if live is None:
            raise Unavailable("The demo application is not there.")
        uuid = request_deployment(live, installation().adapters.repositories, find_user(EMAIL)).uuid
    print("  Demo site …", end="", flush=True)
    while time.monotonic() - started < DEPLOY_SECONDS:
        deployment = find_deployment(uuid)
        if deployment and deployment.status == DeploymentStatus.SUCCEEDED:
            print(f" deployed ({time.monotonic() - started:.1f} s)", flush=True)
            return
        if deployment and deployment.status.is_final:
            raise Unavailable(f"The demo could not be deployed: {deployment.sentence}")
        db.session.rollback()
        time.sleep(0.1)
    raise Unavailable("The demo was not deployed in time; the worker's log tells why.")
