"""A site under test: what is committed, asked for and run, in words of a person."""

from __future__ import annotations

from app.adapters.git import Author
from app.deployments.models import Container, Deployment
from app.deployments.operations import request_deployment
from app.deployments.pipeline import runner
from app.deployments.queries import find_current
from app.extensions import db
from app.logs.queries import log_store
from app.repositories.operations import refresh_branch
from app.repositories.queries import load_repository
from app.routes.queries import find_route
from tests.panel import ALICE, SITE_PORT, Panel, application, environment, user_of
from tests.serving_engine import ask

DOCKERFILE = f"FROM base:1\nEXPOSE {SITE_PORT}\n"


def commit(panel: Panel, dockerfile: str | None = DOCKERFILE, branch: str = "main") -> str:
    """Commit a Dockerfile to `demo` (None removes it); returns the sha."""
    if panel.engine.inspect_image("base:1") is None:
        panel.engine.add_image("base:1")
    with panel.work():
        key = load_repository(application().id).uuid
        tip = panel.store.resolve(key, branch)
        content = dockerfile.encode() if dockerfile is not None else None
        files = {"Dockerfile": content, "now": str(tip).encode()}
        author = Author("Alice", ALICE.email)
        sha = panel.store.commit(key, branch, files, "A change", author, expected=tip)
        for slug in ("test", "live"):
            refresh_branch(environment(slug), panel.store)
    return sha


def request(panel: Panel, slug: str = "test") -> int:
    """Ask for a deployment; returns its number."""
    with panel.work():
        return request_deployment(environment(slug), panel.store, user_of(ALICE)).id


def run(panel: Panel, number: int) -> Deployment:
    """Run it as a worker does; returns the row as it ended, detached."""
    with panel.reading():
        runner.run(number)
    return look(panel, number)


def deploy(panel: Panel, slug: str = "test") -> Deployment:
    """Ask and run."""
    return run(panel, request(panel, slug))


def look(panel: Panel, number: int) -> Deployment:
    """The row with its steps, readable after the session has gone."""
    with panel.reading():
        row = db.session.get_one(Deployment, number)
        assert row.steps is not None and row.environment and row.receipt is not Ellipsis
        return row


def steps_of(row: Deployment) -> dict[str, str]:
    """Name and status of the steps that have begun."""
    return {step.name: str(step.status) for step in row.steps}


def log_of(panel: Panel, row: Deployment) -> str:
    """All that its log holds."""
    with panel.reading():
        return log_store().deployment(row.uuid).read_all()


def current_deployment(panel: Panel, slug: str = "test") -> int | None:
    """Which deployment the environment runs."""
    with panel.reading():
        current = find_current(environment(slug).id)
        return current.deployment_id if current else None


def visit(panel: Panel, slug: str = "test") -> set[str]:
    """What visitors get: the answers (image ids) of all containers the route points to."""
    with panel.reading():
        route = find_route(environment(slug).id)
        endpoints = route.endpoints() if route else ()
    return {ask(address, port) for address, port in endpoints}


def containers(panel: Panel) -> tuple[set[str], set[str]]:
    """Names of the containers in rows, and of those in the engine."""
    with panel.reading():
        rows = set(db.session.scalars(db.select(Container.name)))
    return rows, {state.name for state in panel.engine.list_containers({})}
