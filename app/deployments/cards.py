"""What a page says of an environment at a glance, loaded for many in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from app.applications.models import Application
from app.deployments import queries
from app.deployments.models import CurrentRelease, Deployment, DeploymentStatus
from app.deployments.process_states import ProcessState, process_states
from app.domains.queries import primary_hosts
from app.environments.models import Environment
from app.extensions import db
from app.installation import installation
from app.repositories.models import TrackedBranch
from app.repositories.queries import tracked_branches
from app.transactions import once_a_reading


@dataclass(frozen=True)
class Card:
    """One environment at a glance. `state` is a word of the status vocabulary."""

    environment: Environment
    host: str
    url: str
    tracked: TrackedBranch | None
    latest: Deployment | None
    current: CurrentRelease | None
    processes: Sequence[ProcessState] = ()

    @property
    def troubled(self) -> Sequence[ProcessState]:
        """Processes beside the web server that keep ending."""
        return [row for row in self.processes if row.is_troubled]

    @property
    def state(self) -> str:
        """Running deployments show first, then whether anything is up."""
        if self.latest and not self.latest.status.is_final:
            return "queued" if self.latest.status == DeploymentStatus.QUEUED else "deploying"
        return "up" if self.current else "empty"

    @property
    def has_failed(self) -> bool:
        """Whether the newest deployment failed: the site may serve on, but needs a person."""
        return bool(self.latest and self.latest.status == DeploymentStatus.FAILED)

    @property
    def waiting(self) -> int:
        return self.tracked.waiting if self.tracked else 0

    @property
    def is_branch_missing(self) -> bool:
        return self.tracked is None or self.tracked.head is None


def load_cards(applications: Sequence[Application]) -> Mapping[int, list[Card]]:
    """Cards by application, Test before Live before others: six queries for any number."""
    return _cards(applications, False)


def load_cards_to_compare(application: Application) -> Sequence[Card]:
    """Those of one application, with what comparing their releases needs: read once for both."""
    return _cards([application], True)[application.id]


@once_a_reading
def _cards(applications: Sequence[Application], is_compared: bool) -> Mapping[int, list[Card]]:
    environments = db.session.scalars(
        select(Environment)
        .join(Environment.application)
        .options(contains_eager(Environment.application))
        .where(
            Environment.application_id.in_([row.id for row in applications]),
            Environment.trashed_at.is_(None),
        )
        .order_by(Environment.id)
    ).all()
    numbers = [row.id for row in environments]
    hosts = primary_hosts(numbers)
    tracked = tracked_branches(numbers)
    latest = queries.latest_deployments(numbers)
    current = (queries.decrypted_releases if is_compared else queries.current_releases)(numbers)
    processes = process_states(current)
    cards: dict[int, list[Card]] = {row.id: [] for row in applications}
    for row in environments:
        host = _served_host(hosts.get(row.id, ""), current.get(row.id))
        cards[row.application_id].append(
            Card(
                environment=row,
                host=host,
                url=installation().settings.site_url(host),
                tracked=tracked.get(row.id),
                latest=latest.get(row.id),
                current=current.get(row.id),
                processes=processes.get(row.id, ()),
            )
        )
    return cards


def _served_host(primary: str, current: CurrentRelease | None) -> str:
    """The host to show: a primary one that waits for the next deployment answers nobody yet."""
    served = current.release.hosts if current else []
    return primary if primary in served or not served else served[0]
