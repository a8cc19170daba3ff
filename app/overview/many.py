"""Deploying many sites at once: which can be, and asking for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.applications.models import Application
from app.applications.queries import list_deployable
from app.deployments.cards import Card, load_cards
from app.deployments.operations import request_deployment
from app.environments.models import LIVE, TEST, Environment
from app.errors import PanelError
from app.extensions import db
from app.transactions import unit_of_work

ENVIRONMENTS = (TEST, LIVE)
MOST = 200
"""In one go; each asks Git once. More are several goes."""


@dataclass(frozen=True)
class Candidate:
    """One chosen site, and its environment as it stands; None where it has no such one."""

    application: Application
    card: Card | None

    @property
    def can_be_deployed(self) -> bool:
        return self.card is not None and not self.card.is_branch_missing


@dataclass(frozen=True)
class Asked:
    """What became of asking: how many deployments wait or run now, and what was refused why."""

    requested: int
    refused: Sequence[tuple[str, str]]


def load_candidates(user: User, slugs: Iterable[str], environment: str) -> list[Candidate]:
    """Of the sites named, those this person may deploy; the others are left out without a word,
    as if they were not there. By name, in a fixed number of queries."""
    wanted = sorted(set(slugs))[:MOST]
    query = list_deployable(user).where(Application.slug.in_(wanted))
    applications = db.session.scalars(query).all()
    cards = load_cards(applications)
    return [
        Candidate(
            row,
            next((card for card in cards[row.id] if card.environment.slug == environment), None),
        )
        for row in applications
    ]


def deploy_all(candidates: Sequence[Candidate], store: RepositoryStore, actor: User) -> Asked:
    """Ask for each in a unit of work of its own: one that is refused keeps no other from going."""
    requested, refused = 0, []
    numbers = [
        (one.application.name, one.card.environment.id)
        for one in candidates
        if one.card and one.can_be_deployed
    ]
    for name, environment_id in numbers:
        try:
            with unit_of_work():
                request_deployment(db.session.get_one(Environment, environment_id), store, actor)
            requested += 1
        except PanelError as error:
            refused.append((name, error.sentence))
    return Asked(requested, refused)
