"""Publishing in two steps: what each would bring, and how far one has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from app.adapters.git import CommitInfo, RepositoryStore
from app.addons.models import AddonChange
from app.applications.models import Application
from app.deployments.deployment_page import describe
from app.deployments.models import Deployment, DeploymentStatus
from app.publishing.queries import Place, Places, list_site_changes
from app.repositories.queries import load_repository

DONE = frozenset({"succeeded", "skipped"})


@dataclass(frozen=True)
class Progress:
    """How far a deployment is, in steps counted from 1."""

    step: int
    steps: int
    is_waiting: bool


@dataclass(frozen=True)
class Stage:
    """One of the two steps, and what it brings."""

    place: Place
    changes: Sequence[AddonChange]
    """Saves of addons that are not there yet, newest first."""
    others: Sequence[CommitInfo]
    """What else was committed and is not there yet, newest first."""
    settings: Sequence[str]
    """Names of other settings that differ."""
    progress: Progress | None
    failed: Deployment | None
    """The newest one, if it failed."""
    problem: str = ""
    """Why it cannot be done by a click."""

    @property
    def is_up_to_date(self) -> bool:
        return self.place.has_all and not self.place.waiting.changes

    @property
    def brings_more(self) -> bool:
        return bool(self.others or self.settings)


@dataclass(frozen=True)
class Stages:
    """Both, and which state of the site the person has seen."""

    test: Stage | None
    live: Stage | None
    seen: str


def load_stages(
    application: Application, places: Places, secret_names: frozenset[str], store: RepositoryStore
) -> Stages:
    """`secret_names` are the variables of all addons' secrets."""
    head = _head(places)
    test = _stage(application, places.test, secret_names, store) if places.test else None
    live = None
    if places.live is not None:
        problem = _problem(application, places, head, store)
        live = _stage(application, places.live, secret_names, store, problem)
    return Stages(test, live, head or "")


def _head(places: Places) -> str | None:
    """The tip of the branch that addons are saved to."""
    tracked = places.test.card.tracked if places.test else None
    return tracked.head if tracked else None


def _stage(
    application: Application,
    place: Place,
    secret_names: frozenset[str],
    store: RepositoryStore,
    problem: str = "",
) -> Stage:
    changes = list_site_changes(application.id, place.missing)
    own = {change.commit for change in changes}
    others = _others(application, place, own, store)
    latest = place.card.latest
    return Stage(
        place=place,
        changes=changes,
        others=others,
        settings=[
            row.name
            for row in place.waiting.changes
            if not row.addon and row.name not in secret_names
        ],
        progress=progress_of(latest) if latest and not latest.status.is_final else None,
        failed=latest if latest and latest.status == DeploymentStatus.FAILED else None,
        problem=problem,
    )


def _others(
    application: Application, place: Place, own: set[str], store: RepositoryStore
) -> list[CommitInfo]:
    if not place.missing or place.card.current is None:
        return []  # of a site that was never published everything is new
    key = load_repository(application.id).uuid
    deployed = place.card.tracked.deployed if place.card.tracked else None
    commits = store.log(key, place.missing[0], deployed, len(place.missing))
    return [commit for commit in commits if commit.sha not in own]


def progress_of(deployment: Deployment) -> Progress:
    """Which step it is at."""
    steps = describe(deployment)["steps"]
    done = sum(step["status"] in DONE for step in steps)
    is_waiting = deployment.status == DeploymentStatus.QUEUED
    return Progress(min(done + 1, len(steps)), len(steps), is_waiting)


def _problem(
    application: Application, places: Places, head: str | None, store: RepositoryStore
) -> str:
    """Why Live cannot have what Test's branch has, in words without Git; empty when it can."""
    live, test = places.live, places.test
    if live is None or test is None:
        return ""
    if head is None:
        return str(_("There is nothing to publish yet."))
    if live.card.environment.branch == test.card.environment.branch:
        return ""
    tip = store.resolve(load_repository(application.id).uuid, live.card.environment.branch)
    if tip is None or not is_behind(application, tip, head, store):
        return str(
            _(
                "The live site has changes of its own that the test site has not. A developer "
                "must bring them together first."
            )
        )
    return ""


def is_behind(application: Application, tip: str, head: str, store: RepositoryStore) -> bool:
    """Whether everything that `tip` has is in `head` too."""
    return store.count(load_repository(application.id).uuid, tip, head) == 0
