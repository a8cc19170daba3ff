"""Carrying a plan out: rows, variables, audit and, last of all, the commit."""

from __future__ import annotations

from collections.abc import Callable

from app.accounts.models import User
from app.adapters.git import RepositoryStore
from app.addons.installing.plan import Plan
from app.addons.models import AddonChange

ATTEMPTS = 3


def carry_out(
    plan_again: Callable[[], Plan], seen: str, actor: User, store: RepositoryStore
) -> AddonChange:
    """Plan, and do it in a unit of work of its own; again when the branch moved in between, at
    most three times. `seen` is `Plan.seen` of what the person confirmed; empty: whatever it is.

    Raises `Conflict` when the plan is not that one any more, and never forces.
    """
    raise NotImplementedError


def apply_plan(plan: Plan, actor: User, store: RepositoryStore) -> AddonChange:
    """Write it; belongs into a unit of work. Raises `Conflict` when the branch has moved since the
    plan was made: then nothing is written."""
    raise NotImplementedError
