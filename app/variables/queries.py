"""Finding variables and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Select, Text, func, or_, select, type_coerce

from app.extensions import db
from app.variables.limits import POINTER_BYTES, size_of
from app.variables.models import Variable, VariableChange
from app.web.searching import split_words


def list_variables(environment_id: int) -> Sequence[Variable]:
    """By name."""
    return db.session.scalars(search_variables(environment_id)).all()


def variables_of(environment_ids: Sequence[int]) -> Mapping[int, list[Variable]]:
    """All variables of several environments in one query; each by name."""
    found: dict[int, list[Variable]] = {number: [] for number in environment_ids}
    rows = select(Variable).where(Variable.environment_id.in_(environment_ids))
    for row in db.session.scalars(rows.order_by(Variable.name)):
        found[row.environment_id].append(row)
    return found


def search_variables(environment_id: int, words: str = "") -> Select[Variable]:
    """Those whose name holds each of `words`, whatever the capitals; by name, to page through."""
    query = select(Variable).where(Variable.environment_id == environment_id)
    for word in split_words(words):
        query = query.where(Variable.name.icontains(word, autoescape=True))
    return query.order_by(Variable.name)


def find_variable(environment_id: int, name: str) -> Variable | None:
    return db.session.scalar(
        select(Variable).where(Variable.environment_id == environment_id, Variable.name == name)
    )


def find_variables(environment_id: int, names: Collection[str]) -> Mapping[str, Variable]:
    """By name, those that there are."""
    rows = db.session.scalars(
        select(Variable).where(
            Variable.environment_id == environment_id, Variable.name.in_(list(names))
        )
    )
    return {row.name: row for row in rows}


def list_names(environment_id: int) -> Mapping[str, bool]:
    """Whether it is a secret, by name in order; decrypts nothing."""
    rows = db.session.execute(
        select(Variable.name, Variable.is_secret)
        .where(Variable.environment_id == environment_id)
        .order_by(Variable.name)
    )
    return {row.name: row.is_secret for row in rows}


def find_alike(environment_id: int, name: str) -> Sequence[str]:
    """Names that differ from `name` in capitals only."""
    return db.session.scalars(
        select(Variable.name).where(
            Variable.environment_id == environment_id,
            func.lower(Variable.name) == name.lower(),
            Variable.name != name,
        )
    ).all()


def count_variables(environment_id: int) -> int:
    counted = select(func.count(Variable.id)).where(Variable.environment_id == environment_id)
    return db.session.scalar(counted) or 0


def bound_of_total(environment_id: int) -> int:
    """At least as many bytes as the variables have, found without decrypting any: no value is
    longer than what it is encrypted to."""
    stored = func.length(type_coerce(Variable.value, Text))
    query = select(
        func.coalesce(func.sum(stored), 0), func.sum(func.length(Variable.name)), func.count()
    ).where(Variable.environment_id == environment_id)
    values, names, count = db.session.execute(query).one()
    return int(values) + int(names or 0) + (2 + POINTER_BYTES) * int(count)


def exact_total(environment_id: int) -> int:
    """As many bytes as Linux counts for the variables; decrypts them all."""
    rows = list_variables(environment_id)
    return sum(size_of(row.name, row.value) + POINTER_BYTES for row in rows)


def list_changes(environment_id: int, words: str = "") -> Select[VariableChange]:
    """An environment's history, newest first, of variables whose name holds each of `words`."""
    query = select(VariableChange).where(VariableChange.environment_id == environment_id)
    for word in split_words(words):
        query = query.where(VariableChange.name.icontains(word, autoescape=True))
    return query.order_by(VariableChange.id.desc())


def find_change(environment_id: int, number: int) -> VariableChange | None:
    return db.session.scalar(
        select(VariableChange).where(
            VariableChange.environment_id == environment_id, VariableChange.id == number
        )
    )


def newest_change(environment_id: int, name: str) -> VariableChange | None:
    return db.session.scalars(
        select(VariableChange)
        .where(VariableChange.environment_id == environment_id, VariableChange.name == name)
        .order_by(VariableChange.id.desc())
        .limit(1)
    ).first()


def names_once_secret(
    environment_ids: Collection[int], names: Collection[str]
) -> frozenset[tuple[int, str]]:
    """Environment and name of those that are or were a secret: no value they ever had is shown."""
    changes = select(VariableChange.environment_id, VariableChange.name).where(
        VariableChange.environment_id.in_(list(environment_ids)),
        VariableChange.name.in_(list(names)),
        or_(VariableChange.was_secret, VariableChange.is_secret),
    )
    present = select(Variable.environment_id, Variable.name).where(
        Variable.environment_id.in_(list(environment_ids)),
        Variable.name.in_(list(names)),
        Variable.is_secret,
    )
    found = db.session.execute(changes.union(present))
    return frozenset((row.environment_id, row.name) for row in found)
