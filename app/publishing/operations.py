"""Publishing a site in two steps, and following another channel."""

from __future__ import annotations

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.addons.models import Channel, InstalledAddon
from app.applications.models import Application
from app.audit.operations import record
from app.deployments.models import Deployment
from app.deployments.operations import request_deployment
from app.environments.models import LIVE, TEST, Environment
from app.environments.queries import find_environment
from app.errors import Conflict, Invalid, NotFound
from app.publishing.stages import is_behind
from app.repositories.operations import record_push
from app.repositories.queries import load_repository

OVERTAKEN = (
    "Something was saved after you opened this page. Look again at what goes live, then publish."
)
APART = (
    "The live site has changes of its own that the test site has not. A developer must bring them "
    "together first."
)


def publish_to_test(application: Application, store: RepositoryStore, actor: User) -> Deployment:
    """Show what is saved on the test site."""
    return request_deployment(_environment(application, TEST), store, actor)


def publish_to_live(
    application: Application, seen: str, store: RepositoryStore, actor: User
) -> Deployment:
    """Put what is saved live. `seen` is the commit of which the person was told what it brings:
    raises `Conflict` when the branch has moved on since.

    Where Live follows a branch of its own, that one is moved on to `seen`; `Conflict` when it has
    commits that `seen` has not.
    """
    live = _environment(application, LIVE)
    test = find_environment(application.id, TEST)
    source = test or live
    key = load_repository(application.id).uuid
    if store.resolve(key, source.branch) != seen:
        raise Conflict(OVERTAKEN)
    if live.branch != source.branch:
        _bring_over(live, seen, store, actor)
    return request_deployment(live, store, actor)


def _bring_over(live: Environment, commit: str, store: RepositoryStore, actor: User) -> None:
    application = live.application
    key = load_repository(application.id).uuid
    tip = store.resolve(key, live.branch)
    if tip == commit:
        return
    if tip is None or not is_behind(application, tip, commit, store):
        raise Conflict(APART)
    store.fast_forward(key, live.branch, commit, tip)
    record_push(application.id, [live.branch], store, actor.id)
    record(
        "repository.push",
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        before={live.branch: tip},
        after={live.branch: commit},
        branches=1,
    )


def _environment(application: Application, slug: str) -> Environment:
    found = find_environment(application.id, slug)
    if found is None:
        raise NotFound("This site has no such place to publish to.")
    return found


def follow_channel(installed: InstalledAddon, channel: str, actor: User) -> None:
    """Have the site told of the versions of `channel` and of those trusted more."""
    if channel not in set(Channel):
        raise Invalid("Choose one of the channels.", "channel")
    if installed.channel == channel:
        return
    application = installed.application
    record(
        "site_addon.follow",
        application.slug,
        actor=actor,
        organisation_id=application.organisation_id,
        addon=installed.addon.package_name,
        before=installed.channel,
        after=channel,
    )
    installed.channel = Channel(channel)
