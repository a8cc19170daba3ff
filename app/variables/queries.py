"""Finding variables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.extensions import db
from app.variables.models import Variable


def list_variables(environment_id: int) -> Sequence[Variable]:
    """By name."""
    return db.session.scalars(
        select(Variable).where(Variable.environment_id == environment_id).order_by(Variable.name)
    ).all()


def find_variable(environment_id: int, name: str) -> Variable | None:
    return db.session.scalar(
        select(Variable).where(Variable.environment_id == environment_id, Variable.name == name)
    )
