"""What the page of one deployment shows, and what its live stream says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.adapters.git import CommitInfo
from app.deployments import queries
from app.deployments.models import (
    CurrentRelease,
    Deployment,
    DeploymentStep,
    Release,
)
from app.deployments.pipeline import STORIES
from app.deployments.waiting import Change, changes_since_last
from app.extensions import db, now
from app.installation import installation
from app.logs.queries import log_store
from app.repositories.queries import load_repository
from app.web.streams import Event

COMMITS_SHOWN = 20
PIECES_PER_POLL = 20


@dataclass(frozen=True)
class StepLine:
    """One step as the page shows it. `status` is a word of the status vocabulary."""

    name: str
    title: str
    status: str
    seconds: float | None
    expected: float | None


@dataclass(frozen=True)
class DeploymentPage:
    """Everything the page shows."""

    deployment: Deployment
    steps: Sequence[StepLine]
    expected: float | None
    commits: Sequence[CommitInfo]
    changes: Sequence[Change]
    release: Release | None
    current: CurrentRelease | None
    log: str
    position: int

    @property
    def is_cut(self) -> bool:
        """Whether the log has more in front of what the page shows."""
        return len(self.log.encode()) < self.position


def load_page(deployment: Deployment) -> DeploymentPage:
    """All of it; the log as it stands, with the position the live stream goes on from."""
    expected = queries.expected_seconds(deployment.environment_id, deployment.kind)
    piece = log_store().deployment(deployment.uuid).tail(5000, limit=1024**2)
    release = db.session.get(Release, deployment.release_id) if deployment.release_id else None
    return DeploymentPage(
        deployment=deployment,
        steps=_step_lines(deployment, expected),
        expected=sum(expected.values()) or None,
        commits=_commits_since(deployment),
        changes=changes_since_last(deployment, release) if release else (),
        release=release,
        current=queries.find_current(deployment.environment_id),
        log=piece.text,
        position=piece.position,
    )


def _step_lines(deployment: Deployment, expected: Mapping[str, float]) -> list[StepLine]:
    """The steps of the story in order, those that have begun as they went."""
    begun: dict[str, DeploymentStep] = {row.name: row for row in deployment.steps}
    lines = []
    for step in STORIES[deployment.kind]:
        row = begun.get(step.name)
        waits = "skipped" if deployment.status.is_final else "queued"
        seconds = row.seconds if row else None
        if row and row.ended_at is None:
            seconds = (now() - row.started_at).total_seconds()
        lines.append(
            StepLine(
                name=step.name,
                title=step.title,
                status=row.status if row else waits,
                seconds=seconds,
                expected=expected.get(step.name),
            )
        )
    return lines


def _commits_since(deployment: Deployment) -> Sequence[CommitInfo]:
    """What came since the commit that ran before; only the newest on a first deployment."""
    store = installation().adapters.repositories
    key = load_repository(deployment.environment.application_id).uuid
    previous = deployment.previous_commit
    if previous == deployment.commit:
        return []
    return store.log(key, deployment.commit, previous, COMMITS_SHOWN if previous else 1)


def describe(deployment: Deployment) -> dict[str, Any]:
    """Where a deployment stands, in plain values."""
    return {
        "uuid": deployment.uuid,
        "status": deployment.status,
        "is_final": deployment.status.is_final,
        "sentence": deployment.sentence,
        "seconds": _elapsed(deployment),
        "steps": [
            {"name": line.name, "status": line.status, "seconds": line.seconds}
            for line in _step_lines(deployment, expected={})
        ],
    }


def _elapsed(deployment: Deployment) -> float | None:
    if deployment.started_at is None:
        return None
    return ((deployment.ended_at or now()) - deployment.started_at).total_seconds()


def deployment_events(
    deployment_id: int, position: int
) -> tuple[Callable[[], Iterator[Event]], Callable[[], bool]]:
    """For the live stream: what is new in log and steps, and whether it is all over."""
    uuid = db.session.get_one(Deployment, deployment_id).uuid
    log = log_store().deployment(uuid)
    place = position
    shown: dict[str, Any] = {}

    def poll() -> Iterator[Event]:
        nonlocal place, shown
        for _ in range(PIECES_PER_POLL):
            piece = log.read(place)
            if not piece.text:
                break
            place = piece.position
            yield Event("log", piece.text, str(place))
        state = describe(db.session.get_one(Deployment, deployment_id))
        if state != shown:
            shown = state
            yield Event("state", state, str(place))

    def is_over() -> bool:
        return db.session.get_one(Deployment, deployment_id).status.is_final

    return poll, is_over
